/** The type of a value: text, number, flag, a list of something, text by name, or an object with such fields. */
export type Shape =
  | 'text'
  | 'number'
  | 'flag'
  | 'texts by name'
  | readonly [Shape]
  | { readonly [field: string]: Shape };

/** What is wrong with a value, beginning with its path; undefined when nothing is. Null stands for a missing field. */
export function checkShape(value: unknown, shape: Shape, path: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof shape === 'string') return isScalar(value, shape) ? undefined : `${path} must be ${WORDS[shape]}`;
  if (isList(shape)) {
    if (!Array.isArray(value)) return `${path} must be a list`;
    return firstOf(value, (item, index) =>
      item === undefined || item === null
        ? `${path}[${index}] must not be empty`
        : checkShape(item, shape[0], `${path}[${index}]`),
    );
  }
  if (!isRecord(value)) return `${path} must be an object`;
  return firstOf(Object.entries(shape), ([field, inner]) =>
    checkShape(value[field], inner, path === '' ? field : `${path}.${field}`),
  );
}

/** The same value without fields that are null; itself when there are none. */
export function withoutNulls(value: unknown): unknown {
  if (!hasNullField(value)) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const entries = Object.entries(value as object).filter(([, inner]) => inner !== null);
  return Object.fromEntries(entries.map(([name, inner]) => [name, withoutNulls(inner)]));
}

function hasNullField(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasNullField);
  if (!isRecord(value)) return false;
  for (const name in value) if (value[name] === null || hasNullField(value[name])) return true;
  return false;
}

/** True for an object that is no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const WORDS = { text: 'text', number: 'a number', flag: 'true or false', 'texts by name': 'text by name' } as const;

function isScalar(value: unknown, shape: keyof typeof WORDS): boolean {
  if (shape === 'texts by name')
    return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
  return typeof value === { text: 'string', number: 'number', flag: 'boolean' }[shape];
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);

function firstOf<T>(items: readonly T[], check: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const problem = check(item, index);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
