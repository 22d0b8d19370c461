import type { ServedGroupVersion } from '../schema/contract.ts';
import { reference, type Schema } from './struct-schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** The definitions of the custom kinds of a group version. */
export interface CustomDefinitions {
  /** Kind, or kind with `List` behind it, to definition name. */
  readonly names: ReadonlyMap<string, string>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

/** Builds them from the schemas of the CRDs: named by their group backwards, with apiVersion, kind and metadata. */
export function customDefinitions({ group, version, customSchemas }: ServedGroupVersion): CustomDefinitions {
  const names = new Map<string, string>();
  const schemas: Record<string, Schema> = {};
  const prefix = `${group.split('.').reverse().join('.')}.${version}`;
  for (const [kind, schema] of customSchemas) {
    const [name, list] = [`${prefix}.${kind}`, `${prefix}.${kind}List`];
    names.set(kind, name).set(`${kind}List`, list);
    schemas[name] = withTypes(schema as Schema, { group, kind, version });
    schemas[list] = listSchema(name, { group, kind: `${kind}List`, version });
  }
  return { names, schemas };
}

function withTypes(schema: Schema, kind: Schema): Schema {
  const properties = (schema['properties'] as Schema | undefined) ?? {};
  return {
    ...schema,
    type: 'object',
    properties: {
      ...properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { allOf: [reference(`${meta}ObjectMeta`)] },
    },
    'x-kubernetes-group-version-kind': [kind],
  };
}

function listSchema(item: string, kind: Schema): Schema {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: reference(item) },
      kind: { type: 'string' },
      metadata: { allOf: [reference(`${meta}ListMeta`)] },
    },
    'x-kubernetes-group-version-kind': [kind],
  };
}
