import { isJsonObject, jsonEquals } from '../../patch/json-value.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** What a list item was before an update: of items that keys tell apart the one with the same keys; of others nobody knows. */
export function previousItem(schema: StructuralSchema, item: unknown, before: unknown): unknown {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (schema['x-kubernetes-list-type'] !== 'map' || !keys || !Array.isArray(before) || !isJsonObject(item))
    return undefined;
  return before.find((old) => isJsonObject(old) && keys.every((key) => jsonEquals(old[key], item[key])));
}
