import {
  compare,
  Duration,
  EvaluationError,
  equal,
  ListValue,
  MapValue,
  noSuchOverload,
  Timestamp,
  Uint,
  type Value,
} from './values.ts';

type Binary = (a: Value, b: Value) => Value;

/** The operators with two sides that have a value each, by the name of their call. */
export const binaryOperators: Readonly<Record<string, Binary>> = {
  '_==_': (a, b) => equal(a, b),
  '_!=_': (a, b) => !equal(a, b),
  '_<_': (a, b) => ordered(a, b) < 0,
  '_<=_': (a, b) => ordered(a, b) <= 0,
  '_>_': (a, b) => ordered(a, b) > 0,
  '_>=_': (a, b) => ordered(a, b) >= 0,
  _in_: contains,
  '_+_': add,
  '_-_': subtract,
  '_*_': (a, b) => arithmetic(a, b, { whole: (x, y) => x * y, real: (x, y) => x * y }),
  '_/_': (a, b) => arithmetic(a, b, { whole: divide, real: (x, y) => x / y }),
  '_%_': (a, b) => arithmetic(a, b, { whole: remainder }),
};

/** The operators with one side. */
export const unaryOperators: Readonly<Record<string, (value: Value) => Value>> = {
  '!_': (value) => {
    if (typeof value !== 'boolean') throw noSuchOverload();
    return !value;
  },
  '-_': (value) => {
    if (typeof value === 'bigint') return checkInt(-value);
    if (typeof value === 'number') return -value;
    if (value instanceof Duration) return new Duration(checkDuration(-value.nanos));
    throw noSuchOverload();
  },
};

/** An int; throws EvaluationError when it does not fit in 64 bits. */
export function checkInt(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new EvaluationError('integer overflow');
  return value;
}

/** A uint; throws EvaluationError when it does not fit in 64 bits. */
export function checkUint(value: bigint): Uint {
  if (BigInt.asUintN(64, value) !== value) throw new EvaluationError('unsigned integer overflow');
  return new Uint(value);
}

// From the year 1 to the end of 9999.
const FIRST = -62135596800n * 1_000_000_000n;
const LAST = 253402300800n * 1_000_000_000n;

/** A timestamp; throws EvaluationError outside of the years 1 to 9999. */
export function checkTimestamp(nanos: bigint): Timestamp {
  if (nanos < FIRST || nanos >= LAST) throw new EvaluationError('timestamp overflow');
  return new Timestamp(nanos);
}

/** The value at an index of a list or a key of a map. Throws EvaluationError. */
export function at(container: Value, index: Value): Value {
  const found = find(container, index);
  if (found !== undefined) return found;
  const shown = index instanceof Uint ? index.value : index;
  throw new EvaluationError(
    container instanceof ListValue
      ? `index out of bounds: ${shown}`
      : `no such key: ${typeof shown === 'object' ? '' : shown}`,
  );
}

/** The same, undefined when there is nothing. Throws EvaluationError for what has no elements. */
export function find(container: Value, index: Value): Value | undefined {
  if (container instanceof MapValue) return container.find(index);
  if (!(container instanceof ListValue)) throw noSuchOverload();
  const position = index instanceof Uint ? Number(index.value) : Number(index);
  if (typeof index === 'string' || typeof index === 'boolean' || index === null || !Number.isInteger(position))
    throw new EvaluationError(`unsupported index: ${String(index)}`);
  return position >= 0 && position < container.size ? container.at(position) : undefined;
}

function ordered(a: Value, b: Value): number {
  const order = compare(a, b);
  if (Number.isNaN(order)) throw new EvaluationError('NaN values cannot be ordered');
  return order;
}

function contains(value: Value, container: Value): Value {
  if (container instanceof ListValue) return container.items.some((item) => equal(item, value));
  if (container instanceof MapValue) return container.find(value) !== undefined;
  throw noSuchOverload();
}

function add(a: Value, b: Value): Value {
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (a instanceof ListValue && b instanceof ListValue) return a.add(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.concat([a, b]);
  if (a instanceof Duration && b instanceof Duration) return new Duration(checkDuration(a.nanos + b.nanos));
  if (a instanceof Timestamp && b instanceof Duration) return checkTimestamp(a.nanos + b.nanos);
  if (a instanceof Duration && b instanceof Timestamp) return checkTimestamp(a.nanos + b.nanos);
  return arithmetic(a, b, { whole: (x, y) => x + y, real: (x, y) => x + y });
}

function subtract(a: Value, b: Value): Value {
  if (a instanceof Duration && b instanceof Duration) return new Duration(checkDuration(a.nanos - b.nanos));
  if (a instanceof Timestamp && b instanceof Duration) return checkTimestamp(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Timestamp) return new Duration(checkDuration(a.nanos - b.nanos));
  return arithmetic(a, b, { whole: (x, y) => x - y, real: (x, y) => x - y });
}

function checkDuration(nanos: bigint): bigint {
  if (BigInt.asIntN(64, nanos) !== nanos) throw new EvaluationError('duration overflow');
  return nanos;
}

interface Arithmetic {
  readonly whole: (x: bigint, y: bigint) => bigint;
  readonly real?: (x: number, y: number) => number;
}

// There is no arithmetic between numbers of different types.
function arithmetic(a: Value, b: Value, { whole, real }: Arithmetic): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return checkInt(whole(a, b));
  if (a instanceof Uint && b instanceof Uint) return checkUint(whole(a.value, b.value));
  if (real && typeof a === 'number' && typeof b === 'number') return real(a, b);
  throw noSuchOverload();
}

function divide(x: bigint, y: bigint): bigint {
  if (y === 0n) throw new EvaluationError('division by zero');
  return x / y;
}

function remainder(x: bigint, y: bigint): bigint {
  if (y === 0n) throw new EvaluationError('modulus by zero');
  return x % y;
}
