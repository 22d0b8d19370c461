import type { SchemaField, SchemaNode } from '../schema/contract.ts';
import { AnnotatedStruct, type StructNode } from '../schema/published-nodes.ts';
import { tables } from '../schema/tables.ts';

/** An OpenAPI v3 schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** Schemas of types that are no structs, by definition name. */
const valueSchemas: Readonly<Record<string, Schema>> = {
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': { type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { type: 'string', format: 'date-time' },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': {
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': { type: 'object' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': {},
};

const definitionNames: Readonly<Record<string, string>> = {
  time: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
  microTime: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime',
  quantity: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  intOrString: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  'runtime.RawExtension': 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  'v1.FieldsV1': 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1',
  'v1.JSON': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON',
};

/** Told of each definition that a schema refers to: a struct, or the name of one of the value schemas. */
export type OnReference = (definition: StructNode | string) => void;

/** The schema of a value type by its definition name. */
export function valueSchema(name: string): Schema {
  return valueSchemas[name] ?? {};
}

/** The reference to a definition. */
export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** The published schema of a struct, without its prose. */
export function structSchema(struct: StructNode, onReference: OnReference): Schema {
  const fields = [...struct.fields.values()];
  const required = fields.filter((field) => field.required).map((field) => field.name);
  const kinds = kindsOf(struct);
  return {
    type: 'object',
    ...(required.length > 0 ? { required } : {}),
    ...(fields.length > 0
      ? { properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, onReference)])) }
      : {}),
    ...(kinds.length > 0 ? { 'x-kubernetes-group-version-kind': kinds } : {}),
    ...(struct.row.map ? { 'x-kubernetes-map-type': struct.row.map } : {}),
    ...(struct.row.unions ? { 'x-kubernetes-unions': struct.row.unions } : {}),
  };
}

let kindsByStruct: Map<string, object[]> | undefined;

function kindsOf(struct: StructNode): object[] {
  if (kindsByStruct === undefined) {
    kindsByStruct = new Map();
    for (const [key, index] of Object.entries(tables.kinds)) {
      const [group, version, kind] = key.split('/');
      const { name } = tables.structs[index]!;
      kindsByStruct.set(name, [...(kindsByStruct.get(name) ?? []), { group, kind, version }]);
    }
  }
  return kindsByStruct.get(struct.row.name) ?? [];
}

function fieldSchema(field: SchemaField, onReference: OnReference): Schema {
  const schema = nodeSchema(field.node, onReference);
  const value = defaultOf(field);
  return {
    ...(schema['$ref'] === undefined ? schema : { allOf: [schema] }),
    ...(value === undefined ? {} : { default: value }),
    ...(field.enum ? { enum: field.enum } : {}),
    ...extensions(field.node),
  };
}

// What Go holds without a pointer is never absent: its zero value is the default.
function defaultOf({ default: declared, node, pointer, omitEmpty }: SchemaField): unknown {
  if (declared !== undefined) return declared;
  if (pointer) return undefined;
  if (node.type === 'struct') return {};
  return omitEmpty ? undefined : zeros[node.type];
}

const zeros: Readonly<Partial<Record<SchemaNode['type'], unknown>>> = {
  string: '',
  int32: 0,
  int64: 0,
  float64: 0,
  boolean: false,
};

function extensions(node: SchemaNode): Schema {
  const saysMapType = node instanceof AnnotatedStruct ? node.mapType !== node.base.mapType : node.type === 'map';
  return {
    ...(node.listMapKeys ? { 'x-kubernetes-list-map-keys': node.listMapKeys } : {}),
    ...(node.listType ? { 'x-kubernetes-list-type': node.listType } : {}),
    ...(node.mapType && saysMapType ? { 'x-kubernetes-map-type': node.mapType } : {}),
    ...(node.patchMergeKey ? { 'x-kubernetes-patch-merge-key': node.patchMergeKey } : {}),
    ...(node.patchStrategies ? { 'x-kubernetes-patch-strategy': node.patchStrategies.join(',') } : {}),
  };
}

function nodeSchema(node: SchemaNode, onReference: OnReference): Schema {
  switch (node.type) {
    case 'string':
      return { type: 'string' };
    case 'int32':
      return { type: 'integer', format: 'int32' };
    case 'int64':
      return { type: 'integer', format: 'int64' };
    case 'float64':
      return { type: 'number', format: 'double' };
    case 'boolean':
      return { type: 'boolean' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'list':
      return { type: 'array', items: elementSchema(node.element!, onReference) };
    case 'map':
      return { type: 'object', additionalProperties: elementSchema(node.element!, onReference) };
    case 'struct':
      return structReference(node, onReference);
    default:
      return named(definitionNames[node.type] ?? definitionNames[node.goType]!, onReference);
  }
}

function elementSchema(element: SchemaNode, onReference: OnReference): Schema {
  const schema = nodeSchema(element, onReference);
  if (element.type === 'struct') return { allOf: [schema], default: {} };
  const zero = zeros[element.type];
  return {
    ...schema,
    ...(zero === undefined ? {} : { default: zero }),
    ...(element.enum ? { enum: element.enum } : {}),
  };
}

function structReference(node: SchemaNode, onReference: OnReference): Schema {
  const struct = node instanceof AnnotatedStruct ? node.base : (node as StructNode);
  onReference(struct);
  return reference(struct.row.name);
}

function named(name: string, onReference: OnReference): Schema {
  onReference(name);
  return reference(name);
}
