import type { SchemaField, SchemaNode } from '../contract.ts';
import { structNode } from '../published-nodes.ts';
import { tables } from '../tables.ts';

/** A schema of a CRD: JSONSchemaProps as it stands in the object. */
export interface StructuralSchema {
  readonly type?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema | boolean;
  readonly required?: readonly string[];
  readonly items?: StructuralSchema;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly allOf?: readonly StructuralSchema[];
  readonly anyOf?: readonly StructuralSchema[];
  readonly oneOf?: readonly StructuralSchema[];
  readonly not?: StructuralSchema;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic';
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** A CEL rule of a schema. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

const objectMeta = structNode(
  tables.structs.findIndex(({ name }) => name === 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'),
);
const text: SchemaNode = { type: 'string', goType: '' };

/** The schema of `metadata` in every object. */
export function metadataNode(): SchemaNode {
  return objectMeta;
}

/** How the objects of a CRD's version merge and are owned; `schema` undefined means that everything is kept. */
export function nodeOfSchema(schema: StructuralSchema | undefined): SchemaNode {
  return structNodeOf(schema ?? { 'x-kubernetes-preserve-unknown-fields': true }, true);
}

function structNodeOf(schema: StructuralSchema, isResource: boolean): SchemaNode {
  const fields = new Map<string, SchemaField>();
  for (const [name, inner] of Object.entries(schema.properties ?? {}))
    fields.set(
      name,
      fieldOf(name, nodeOf(inner), { required: schema.required?.includes(name) ?? false, value: inner.default }),
    );
  if (isResource) {
    for (const name of ['apiVersion', 'kind']) fields.set(name, fieldOf(name, text));
    fields.set('metadata', fieldOf('metadata', objectMeta));
  }
  return {
    type: 'struct',
    goType: '',
    fields,
    ...(schema['x-kubernetes-map-type'] ? { mapType: schema['x-kubernetes-map-type'] } : {}),
    ...(schema['x-kubernetes-preserve-unknown-fields'] ? { preserveUnknown: true } : {}),
  };
}

function fieldOf(
  name: string,
  node: SchemaNode,
  { required = false, value }: { required?: boolean; value?: unknown } = {},
): SchemaField {
  const base = { name, node, required, pointer: true, omitEmpty: true, omitZero: false, protobufNumber: 0 };
  return value === undefined ? base : { ...base, default: value };
}

function nodeOf(schema: StructuralSchema): SchemaNode {
  if (schema['x-kubernetes-int-or-string']) return { type: 'intOrString', goType: '' };
  switch (schema.type) {
    case 'object':
      return objectNode(schema);
    case 'array':
      return {
        type: 'list',
        goType: '',
        element: schema.items ? nodeOf(schema.items) : { type: 'any', goType: '' },
        ...(schema['x-kubernetes-list-type'] ? { listType: schema['x-kubernetes-list-type'] } : {}),
        ...(schema['x-kubernetes-list-map-keys'] ? { listMapKeys: schema['x-kubernetes-list-map-keys'] } : {}),
      };
    case 'string':
      return text;
    case 'integer':
      return { type: 'int64', goType: '' };
    case 'number':
      return { type: 'float64', goType: '' };
    case 'boolean':
      return { type: 'boolean', goType: '' };
    default:
      return { type: 'any', goType: '' };
  }
}

function objectNode(schema: StructuralSchema): SchemaNode {
  const more = schema.additionalProperties;
  if (more === undefined || more === false || schema.properties !== undefined)
    return structNodeOf(schema, schema['x-kubernetes-embedded-resource'] === true);
  return {
    type: 'map',
    goType: '',
    element: more === true ? { type: 'any', goType: '' } : nodeOf(more),
    ...(schema['x-kubernetes-map-type'] ? { mapType: schema['x-kubernetes-map-type'] } : {}),
  };
}
