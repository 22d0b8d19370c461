import { isJsonObject, own } from '../../patch/json-value.ts';
import { duplicate, invalid } from '../../validation/field-errors.ts';
import type { FieldCause } from '../contract.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** Items that stand twice in sets, and items with the same keys in lists that are maps. */
export function validateLists(schema: StructuralSchema, value: unknown, path = ''): FieldCause[] {
  if (Array.isArray(value)) {
    const items = schema.items;
    return [
      ...findTwins(schema, value, path),
      ...(items ? value.flatMap((item, index) => validateLists(items, item, `${path}[${index}]`)) : []),
    ];
  }
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = own(schema.properties ?? {}, key) as StructuralSchema | undefined;
    if (known) return validateLists(known, inner, path === '' ? key : `${path}.${key}`);
    const more = schema.additionalProperties;
    return typeof more === 'object' ? validateLists(more, inner, `${path}[${key}]`) : [];
  });
}

function findTwins(schema: StructuralSchema, items: readonly unknown[], path: string): FieldCause[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const noObject = type === 'map' ? items.findIndex((item) => item !== null && !isJsonObject(item)) : -1;
  if (noObject !== -1)
    return [invalid(`${path}[${noObject}]`, items[noObject], 'must be an object for an array of list-type map')];
  if (items.length < 2) return [];
  const keys = type === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : undefined;
  const seen = new Map<string, number>();
  return items.flatMap((item, index) => {
    const identity = keys ? keysOf(isJsonObject(item) ? item : {}, keys) : item;
    const text = stableJson(identity);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    // Only the second is told: the third would say the same.
    return times === 2 ? [duplicate(`${path}[${index}]`, identity)] : [];
  });
}

function keysOf(item: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  const present = [...keys].sort().filter((key) => Object.hasOwn(item, key));
  return Object.fromEntries(present.map((key) => [key, item[key]]));
}

function stableJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stableJson).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${stableJson(value[key])}`).join(',')}}`;
}
