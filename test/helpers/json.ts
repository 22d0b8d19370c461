/** A JSON object whose fields are not known. */
export type Plain = Record<string, unknown>;

const isObject = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Equality of JSON values; a field that is undefined counts as absent. */
export function isDeepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => isDeepEqual(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isDeepEqual(a[key], b[key]));
}

/** Freezes a value all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}

/** A copy that is frozen all the way down; what is frozen already is not copied. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T;
  const copy: Plain = {};
  for (const [key, inner] of Object.entries(value)) copy[key] = frozenCopy(inner);
  return Object.freeze(copy) as T;
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Plain = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = mergePatch(result[key], value);
  }
  return result;
}

interface JsonPatchOperation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** RFC 6902: add, remove, replace and test. */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  const document: unknown = structuredClone(target);
  for (const { op, path, value } of operations as readonly JsonPatchOperation[]) {
    const names = path
      .split('/')
      .slice(1)
      .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = names.pop() ?? '';
    const holder = names.reduce<unknown>((at, name) => (at as Plain)[name], document) as Plain | unknown[];
    if (op === 'test') {
      if (!isDeepEqual((holder as Plain)[last], value)) throw new Error(`testing ${path} failed`);
    } else if (Array.isArray(holder)) {
      const index = last === '-' ? holder.length : Number(last);
      if (op === 'add') holder.splice(index, 0, value);
      else if (op === 'remove') holder.splice(index, 1);
      else holder[index] = value;
    } else if (op === 'remove') delete holder[last];
    else holder[last] = value;
  }
  return document;
}

const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: 'type',
  podIPs: 'ip',
  hostIPs: 'ip',
  addresses: 'type',
  ownerReferences: 'uid',
};

/** A strategic merge patch as far as statuses need it: lists with a merge key merge by it, `$patch: replace` replaces, other lists are replaced. */
export function strategicPatch(target: unknown, patch: unknown, field = ''): unknown {
  if (Array.isArray(patch)) return mergeLists(Array.isArray(target) ? target : [], patch, MERGE_KEYS[field]);
  if (!isObject(patch)) return patch;
  const result: Plain = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = strategicPatch(result[key], value, key);
  }
  return result;
}

function mergeLists(target: readonly unknown[], patch: readonly unknown[], key: string | undefined): unknown[] {
  const items = patch.filter((item) => !isObject(item) || item['$patch'] !== 'replace');
  if (key === undefined || items.length < patch.length) return items.map((item) => strategicPatch(undefined, item));
  const merged = [...target];
  for (const item of items as readonly Plain[]) {
    const at = merged.findIndex((each) => (each as Plain)[key] === item[key]);
    if (at === -1) merged.push(item);
    else merged[at] = strategicPatch(merged[at], item);
  }
  return merged;
}
