import type { ObjectMeta } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';

/** Any object of any kind, as the generic machinery sees it. */
export interface ApiObject extends KubeObject {
  readonly metadata?: ObjectMeta | undefined;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** A JSON object whose fields are not known. */
export type Plain = Readonly<Record<string, unknown>>;

/** True for a JSON object, false for lists, null and scalars. */
export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object with other metadata fields; a field that is undefined is removed. */
export function withMetadata<T extends ApiObject>(object: T, fields: Partial<ObjectMeta>): T {
  return { ...object, metadata: without({ ...object.metadata, ...fields }) };
}

/** The object with other top-level fields; a field that is undefined is removed. */
export function withFields<T extends object>(object: T, fields: Plain): T {
  return without({ ...object, ...fields });
}

// A field is never deleted: what is left would be a hash table, slow to copy, to compare and to print.
function without<T extends object>(object: T): T {
  const fields = object as Plain;
  return Object.values(fields).includes(undefined) ? (defined(fields) as T) : object;
}

function defined(object: Plain): Plain {
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value === undefined) continue;
    if (key !== '__proto__') kept[key] = value;
    else Object.defineProperty(kept, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return kept;
}

/** Equality of JSON values; a field that is undefined counts as absent, the order of fields does not count. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && sameList(a, b);
  return !Array.isArray(b) && sameFields(a as Plain, b as Plain);
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false;
  return true;
}

function sameFields(a: Plain, b: Plain): boolean {
  let count = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    count++;
    if (!sameValue(a[key], b[key])) return false;
  }
  for (const key in b) if (b[key] !== undefined) count--;
  return count === 0;
}
