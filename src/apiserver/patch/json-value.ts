/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True for an object that is neither null nor a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Equality of JSON values; the order of keys does not matter, a field that is undefined counts as absent. */
export function jsonEquals(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => jsonEquals(item, b[index]));
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  for (const key of Object.keys(a)) if (!jsonEquals(a[key], own(b, key))) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && own(a, key) === undefined) return false;
  return true;
}

/** An own property; what the prototype has is no field of the document. */
export function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A copy of the object with one field set; `__proto__` is a name like any other. */
export function withField(object: JsonObject, key: string, value: unknown): JsonObject {
  if (key !== '__proto__') return { ...object, [key]: value };
  return Object.defineProperty({ ...object }, key, { value, enumerable: true, configurable: true, writable: true });
}

/** A copy of the object without one field. */
export function withoutField(object: JsonObject, key: string): JsonObject {
  const copy = Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
  return copy;
}
