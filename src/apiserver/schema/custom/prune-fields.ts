import { setOwn } from '../canonical-form.ts';
import type { StructuralSchema } from './structural-schema.ts';

type Plain = Record<string, unknown>;

/** A value with what its schema does not know left out, and the paths of that. */
export interface Pruned {
  readonly value: unknown;
  /** Sorted, as upstream tells them. */
  readonly unknownFields: readonly string[];
}

const typeFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/** Prunes an object as structural schemas have it; a copy, the input stays as it is. */
export function pruneFields(schema: StructuralSchema, object: unknown): Pruned {
  const unknownFields: string[] = [];
  const root = { ...schema, 'x-kubernetes-embedded-resource': true };
  const value = prune({ unknownFields, path: '' }, root, object);
  return { value, unknownFields: unknownFields.sort() };
}

interface Place {
  readonly unknownFields: string[];
  readonly path: string;
}

function prune(place: Place, schema: StructuralSchema | undefined, value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown, index) =>
      prune({ ...place, path: `${place.path}[${index}]` }, itemSchema(schema), item),
    );
  if (typeof value !== 'object' || value === null) return value;
  const kept: Plain = {};
  for (const [key, inner] of Object.entries(value)) {
    const path = place.path === '' ? key : `${place.path}.${key}`;
    if (schema?.['x-kubernetes-embedded-resource'] && typeFields.has(key)) setOwn(kept, key, inner);
    else {
      const known = propertySchema(schema, key);
      if (known !== undefined) setOwn(kept, key, prune({ ...place, path }, known, inner));
      else place.unknownFields.push(path);
    }
  }
  return kept;
}

/** Everything is kept where the schema says so, but what it does describe there is pruned again below. */
const keepAll: StructuralSchema = { 'x-kubernetes-preserve-unknown-fields': true };

function itemSchema(schema: StructuralSchema | undefined): StructuralSchema | undefined {
  return schema?.items ?? (schema?.['x-kubernetes-preserve-unknown-fields'] ? keepAll : undefined);
}

function propertySchema(schema: StructuralSchema | undefined, key: string): StructuralSchema | undefined {
  if (schema === undefined) return undefined;
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  const more = schema.additionalProperties;
  if (typeof more === 'object') return more;
  return more === true || schema['x-kubernetes-preserve-unknown-fields'] ? keepAll : undefined;
}
