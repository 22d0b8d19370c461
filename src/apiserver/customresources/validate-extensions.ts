import type { FieldCause } from '../schema/contract.ts';
import type { StructuralSchema } from '../schema/custom/structural-schema.ts';
import { forbidden, invalid, notSupported, required } from '../validation/field-errors.ts';

const LIST_TYPES = ['atomic', 'set', 'map'];
const MAP_TYPES = ['granular', 'atomic'];

/** What is wrong with the `x-kubernetes-*` fields of one schema. */
export function validateExtensions(schema: StructuralSchema, path: string): FieldCause[] {
  return [...validateListType(schema, path), ...validateMapType(schema, path), ...validateEmbedded(schema, path)];
}

function validateListType(schema: StructuralSchema, path: string): FieldCause[] {
  const { type, 'x-kubernetes-list-type': listType, 'x-kubernetes-list-map-keys': keys = [] } = schema;
  const at = `${path}.x-kubernetes-list-type`;
  if (listType === undefined)
    return keys.length > 0 ? [required(at, 'must be map if x-kubernetes-list-map-keys is non-empty')] : [];
  const causes: FieldCause[] = [];
  if (type !== 'array')
    causes.push(invalid(`${path}.type`, type ?? '', 'must be array if x-kubernetes-list-type is specified'));
  if (!LIST_TYPES.includes(listType)) causes.push(notSupported(at, listType, LIST_TYPES));
  if (listType === 'map') return [...causes, ...validateListKeys(schema, keys, path)];
  if (keys.length > 0) causes.push(invalid(at, listType, 'must be map if x-kubernetes-list-map-keys is non-empty'));
  return causes;
}

function validateListKeys({ items }: StructuralSchema, keys: readonly string[], path: string): FieldCause[] {
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) return [required(at, 'must not be empty if x-kubernetes-list-type is map')];
  const { properties = {}, required: needed = [] } = items ?? {};
  if (keys.some((key) => !Object.hasOwn(properties, key)))
    return [invalid(at, keys, 'entries must all be names of item properties')];
  if (new Set(keys).size !== keys.length) return [invalid(at, keys, 'must not contain duplicate entries')];
  return keys.flatMap((key) => {
    const place = `${path}.items.properties[${key}]`;
    const { default: value, nullable } = properties[key]!;
    const detail = 'this property is in x-kubernetes-list-map-keys, so it';
    return [
      ...(value === undefined && !needed.includes(key)
        ? [required(`${place}.default`, `${detail} must have a default or be a required property`)]
        : []),
      ...(nullable ? [forbidden(`${place}.nullable`, `${detail} cannot be nullable`)] : []),
    ];
  });
}

function validateMapType({ type, 'x-kubernetes-map-type': mapType }: StructuralSchema, path: string): FieldCause[] {
  if (mapType === undefined) return [];
  const causes: FieldCause[] = [];
  if (!MAP_TYPES.includes(mapType)) causes.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, MAP_TYPES));
  if (type !== 'object')
    causes.push(invalid(`${path}.type`, type ?? '', 'must be object if x-kubernetes-map-type is specified'));
  return causes;
}

function validateEmbedded(schema: StructuralSchema, path: string): FieldCause[] {
  const { type, properties, 'x-kubernetes-embedded-resource': embedded } = schema;
  if (!embedded) return [];
  const detail = 'must be object if x-kubernetes-embedded-resource is true';
  const keepsAll = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const causes: FieldCause[] = [];
  if (type === undefined) causes.push(required(`${path}.type`, detail));
  else if (type !== 'object') causes.push(invalid(`${path}.type`, type, detail));
  if (!keepsAll && Object.keys(properties ?? {}).length === 0)
    causes.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  return causes;
}
