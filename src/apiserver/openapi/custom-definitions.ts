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
    ...withEmbedded(schema),
    type: 'object',
    properties: { ...mapValues(properties), ...typeProperties() },
    'x-kubernetes-group-version-kind': [kind],
  };
}

const typeProperties = (): Schema => ({
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { allOf: [reference(`${meta}ObjectMeta`)] },
});

// Whole resources inside of an object have types and metadata too, whatever the definition says of them.
function withEmbedded(schema: Schema): Schema {
  const { properties, items, additionalProperties: more } = schema as Record<string, Schema | undefined>;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const required = schema['required'] as readonly string[] | undefined;
  const fields = { ...mapValues(properties ?? {}), ...(embedded ? typeProperties() : {}) };
  return {
    ...schema,
    ...(properties || embedded ? { properties: fields } : {}),
    ...(embedded ? { required: [...new Set([...(required ?? []), 'apiVersion', 'kind'])] } : {}),
    ...(items ? { items: withEmbedded(items) } : {}),
    ...(typeof more === 'object' ? { additionalProperties: withEmbedded(more) } : {}),
  };
}

function mapValues(properties: Schema): Schema {
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, withEmbedded(inner as Schema)]));
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
