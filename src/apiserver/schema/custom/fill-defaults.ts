import { cloneJson, setOwn } from '../canonical-form.ts';
import type { StructuralSchema } from './structural-schema.ts';

type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isForbiddenNull = (value: unknown, schema: StructuralSchema | undefined): boolean =>
  value === null && schema !== undefined && schema.nullable !== true;

/** The value without nulls where its schema wants none and has no default for them; a copy. */
export function dropNulls(schema: StructuralSchema | undefined, value: unknown): unknown {
  if (schema === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => dropNulls(schema.items, item));
  if (!isPlain(value)) return value;
  const kept: Plain = {};
  for (const [key, inner] of Object.entries(value)) {
    const below = schemaBelow(schema, key);
    if (!(isForbiddenNull(inner, below) && below?.default === undefined)) setOwn(kept, key, dropNulls(below, inner));
  }
  return kept;
}

/** The value with the defaults of its schema; a copy. */
export function fillDefaults(schema: StructuralSchema | undefined, value: unknown): unknown {
  if (schema === undefined) return value;
  if (Array.isArray(value))
    return value.map((item) =>
      fillDefaults(schema.items, isForbiddenNull(item, schema.items) ? cloneJson(schema.items?.default ?? null) : item),
    );
  if (!isPlain(value)) return value;
  const filled: Plain = {};
  for (const [key, inner] of Object.entries(value)) {
    const below = schemaBelow(schema, key);
    const given = isForbiddenNull(inner, below) ? cloneJson(below?.default ?? null) : inner;
    setOwn(filled, key, fillDefaults(below, given));
  }
  for (const [key, below] of Object.entries(schema.properties ?? {}))
    if (below.default !== undefined && below.default !== null && !Object.hasOwn(value, key))
      setOwn(filled, key, fillDefaults(below, cloneJson(below.default)));
  return filled;
}

function schemaBelow(schema: StructuralSchema, key: string): StructuralSchema | undefined {
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}
