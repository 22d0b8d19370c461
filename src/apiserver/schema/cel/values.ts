/** A CEL value: int is a bigint, double a number, and lists, maps and the other types have classes. */
export type Value = null | boolean | bigint | number | string | Uint8Array | CelObject;

/** What all values have that are not simple in JavaScript. */
export interface CelObject {
  /** Type as `type(x)` and error texts name it. */
  readonly typeName: string;
  /** Another of the same class. */
  equals(other: Value): boolean;
}

/** What goes wrong while a rule is evaluated; `&&`, `||` and the macros over them can do without the failed side. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

/** The error of a function that is called with values that it is not made for. */
export function noSuchOverload(): EvaluationError {
  return new EvaluationError('no such overload');
}

/** An unsigned integer of 64 bits. */
export class Uint implements CelObject {
  readonly typeName = 'uint';
  readonly value: bigint;

  constructor(value: bigint) {
    this.value = value;
  }

  equals(other: Value): boolean {
    return other instanceof Uint && other.value === this.value;
  }
}

/** A point in time, in nanoseconds since 1970. */
export class Timestamp implements CelObject {
  readonly typeName = 'google.protobuf.Timestamp';
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  equals(other: Value): boolean {
    return other instanceof Timestamp && other.nanos === this.nanos;
  }
}

/** A length of time, in nanoseconds. */
export class Duration implements CelObject {
  readonly typeName = 'google.protobuf.Duration';
  readonly nanos: bigint;

  constructor(nanos: bigint) {
    this.nanos = nanos;
  }

  equals(other: Value): boolean {
    return other instanceof Duration && other.nanos === this.nanos;
  }
}

/** A type, as `type(x)` gives it and `int`, `string` and the others name it. */
export class TypeValue implements CelObject {
  readonly typeName = 'type';
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  equals(other: Value): boolean {
    return other instanceof TypeValue && other.name === this.name;
  }
}

/** A value that may be missing. */
export class Optional implements CelObject {
  static readonly none = new Optional(undefined);
  readonly typeName = 'optional_type';
  readonly value: Value | undefined;

  constructor(value: Value | undefined) {
    this.value = value;
  }

  equals(other: Value): boolean {
    if (!(other instanceof Optional)) return false;
    if (this.value === undefined || other.value === undefined) return this.value === other.value;
    return equal(this.value, other.value);
  }
}

/** A list. */
export class ListValue implements CelObject {
  readonly typeName = 'list';
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }

  get size(): number {
    return this.items.length;
  }

  at(index: number): Value {
    return this.items[index]!;
  }

  equals(other: Value): boolean {
    return (
      other instanceof ListValue &&
      this.size === other.size &&
      this.items.every((item, index) => equal(item, other.at(index)))
    );
  }

  add(other: ListValue): ListValue {
    return new ListValue([...this.items, ...other.items]);
  }
}

/** A map, or an object with fields. */
export abstract class MapValue implements CelObject {
  readonly typeName = 'map';
  abstract readonly size: number;
  abstract keys(): readonly Value[];
  /** Undefined when there is no such key. */
  abstract find(key: Value): Value | undefined;

  equals(other: Value): boolean {
    if (!(other instanceof MapValue) || other.size !== this.size) return false;
    return this.keys().every((key) => {
      const [mine, theirs] = [this.find(key), other.find(key)];
      return mine !== undefined && theirs !== undefined && equal(mine, theirs);
    });
  }
}

/** A map that a rule made itself. */
export class EntryMap extends MapValue {
  readonly #entries: ReadonlyMap<unknown, readonly [Value, Value]>;

  constructor(entries: Iterable<readonly [Value, Value]>) {
    super();
    this.#entries = new Map([...entries].map((entry) => [keyOf(entry[0]), entry]));
  }

  get size(): number {
    return this.#entries.size;
  }

  keys(): readonly Value[] {
    return [...this.#entries.values()].map(([key]) => key);
  }

  find(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.[1];
  }
}

// Numbers of different types that are equal are the same key.
function keyOf(key: Value): unknown {
  if (key instanceof Uint) return key.value;
  if (typeof key === 'number' && Number.isInteger(key)) return BigInt(key);
  return key;
}

/** The name of a value's type. */
export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
    default:
      if (value === null) return 'null_type';
      return value instanceof Uint8Array ? 'bytes' : value.typeName;
  }
}

/** Whether two values are equal; values of different types are not, except for numbers. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  const numbers = compareNumbers(a, b);
  if (numbers !== undefined) return numbers === 0;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  return typeof a === 'object' && a !== null && a.equals(b);
}

/** Below 0, 0 or above 0; throws EvaluationError for what has no order. */
export function compare(a: Value, b: Value): number {
  const numbers = compareNumbers(a, b);
  if (numbers !== undefined) return numbers;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const isTime = (a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration);
  if (isTime) return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  throw noSuchOverload();
}

// JavaScript compares bigint and number by their exact values, as CEL does. NaN is neither: undefined order is told as NaN.
function compareNumbers(a: Value, b: Value): number | undefined {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (x === undefined || y === undefined) return undefined;
  if (x < y) return -1;
  if (x > y) return 1;
  // biome-ignore lint/suspicious/noDoubleEquals: an int and a double that are the same number are equal
  return x == y ? 0 : Number.NaN;
}

function numberIn(value: Value): bigint | number | undefined {
  if (typeof value === 'bigint' || typeof value === 'number') return value;
  return value instanceof Uint ? value.value : undefined;
}
