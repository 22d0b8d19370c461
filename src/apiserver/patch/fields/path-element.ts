import { goQuote } from '../../schema/go-text.ts';

/**
 * One step of a path to a field, as FieldsV1 writes it: `f:name` a field, `k:{"name":"a"}` the list item with these keys,
 * `v:"x"` the item of a set, `i:0` an item by index.
 */
export type PathElement = string;

// Steps are keys of maps: a text that is there already has its hash, a new one is joined, copied and hashed first.
const MAX_STEPS = 4096;
const steps = new Map<string, PathElement>();

/** The step to a field or map key. */
export function fieldElement(name: string): PathElement {
  let step = steps.get(name);
  if (step === undefined) {
    step = `f:${name}`;
    if (steps.size < MAX_STEPS) steps.set(name, step);
  }
  return step;
}

/** The step to the item of a list whose keys have these values. */
export function keyElement(keys: Readonly<Record<string, unknown>>): PathElement {
  const sorted = Object.keys(keys).sort();
  return `k:{${sorted.map((name) => `${goJson(name)}:${goJson(keys[name])}`).join(',')}}`;
}

/** The step to an item of a set. */
export function valueElement(value: unknown): PathElement {
  return `v:${goJson(value)}`;
}

/** Name of the field that a step leads to; undefined for items of lists. */
export function fieldName(element: PathElement): string | undefined {
  return element.startsWith('f:') ? element.slice(2) : undefined;
}

/** The element as we write it, or undefined for one of a kind that nobody knows (it is ignored, as upstream does). Throws on broken ones. */
export function normalizeElement(text: string): PathElement | undefined {
  switch (text.slice(0, 2)) {
    case 'f:':
      return text;
    case 'v:':
      return valueElement(JSON.parse(text.slice(2)));
    case 'k:':
      return keyElement(JSON.parse(text.slice(2)) as Record<string, unknown>);
    case 'i:':
      return `i:${Number.parseInt(text.slice(2), 10)}`;
    default:
      if (text.length < 2 || text[1] !== ':') throw new Error(`missing colon: ${text}`);
      return undefined;
  }
}

/** The path as conflicts print it: `.spec.containers[name="a"].image`. */
export function printPath(path: readonly PathElement[]): string {
  return path.map(printElement).join('');
}

/** One step as errors print it. */
export function printElement(element: PathElement): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('i:')) return `[${rest}]`;
  if (element.startsWith('v:')) return `[=${printValue(JSON.parse(rest))}]`;
  const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
  return `[${keys.map(([name, value]) => `${name}=${printValue(value)}`).join(',')}]`;
}

const printValue = (value: unknown): string => (typeof value === 'string' ? goQuote(value) : String(value));

const kinds = 'fkvi';

/** The order in which FieldsV1 lists elements: fields, keys, values, indexes, each among themselves by what they hold. */
export function compareElements(a: PathElement, b: PathElement): number {
  const kind = kinds.indexOf(a[0]!) - kinds.indexOf(b[0]!);
  if (kind !== 0) return kind;
  if (a[0] === 'f') return a < b ? -1 : a > b ? 1 : 0;
  const [left, right] = [JSON.parse(a.slice(2)) as unknown, JSON.parse(b.slice(2)) as unknown];
  return a[0] === 'k' ? compareKeys(left as object, right as object) : compareValues(left, right);
}

function compareKeys(a: object, b: object): number {
  const [left, right] = [Object.entries(a), Object.entries(b)];
  for (const [index, [name, value]] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    if (name !== other[0]) return name < other[0] ? -1 : 1;
    const order = compareValues(value, other[1]);
    if (order !== 0) return order;
  }
  return left.length < right.length ? -1 : 0;
}

const typeOrder = ['number', 'string', 'boolean', 'object'];

function compareValues(a: unknown, b: unknown): number {
  if (typeof a !== typeof b) return typeOrder.indexOf(typeof a) - typeOrder.indexOf(typeof b);
  if (a === b) return 0;
  return (a as string | number) < (b as string | number) ? -1 : 1;
}

// Go's encoder escapes what could end a script element, and so do the keys of everybody's managedFields.
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
