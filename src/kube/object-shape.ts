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
  const problem = findProblem(value, shape);
  if (problem === undefined) return undefined;
  return path === '' && problem.startsWith('.') ? problem.slice(1) : `${path}${problem}`;
}

// Beginning with the path from here on: paths are written only where something is wrong.
function findProblem(value: unknown, shape: Shape): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof shape === 'string') return isScalar(value, shape) ? undefined : ` must be ${WORDS[shape]}`;
  if (isList(shape)) return Array.isArray(value) ? findInList(value, shape[0]) : ' must be a list';
  if (!isRecord(value)) return ' must be an object';
  for (const field in shape) {
    const problem = findProblem(value[field], shape[field]!);
    if (problem !== undefined) return `.${field}${problem}`;
  }
  return undefined;
}

function findInList(items: readonly unknown[], shape: Shape): string | undefined {
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    const problem = item === undefined || item === null ? ' must not be empty' : findProblem(item, shape);
    if (problem !== undefined) return `[${i}]${problem}`;
  }
  return undefined;
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
  switch (shape) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'flag':
      return typeof value === 'boolean';
    case 'texts by name':
      return isRecord(value) && Object.values(value).every((text) => typeof text === 'string');
  }
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);
