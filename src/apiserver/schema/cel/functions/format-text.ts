import { goQuote } from '../../go-text.ts';
import {
  Duration,
  EvaluationError,
  ListValue,
  MapValue,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from '../values.ts';
import { doubleText } from './conversions.ts';
import { durationText, timestampText } from './time-text.ts';

const PRECISION = 6;

/** `'%s has %d'.format([name, count])`. Throws EvaluationError for clauses and values that do not go together. */
export function formatText(text: string, values: readonly Value[]): string {
  let next = 0;
  const formatted = text.replace(
    /%(?:%|(?:\.([0-9]+))?(.?))/gs,
    (clause, precision: string | undefined, letter: string) => {
      if (clause === '%%') return '%';
      const print = clauses[letter];
      if (!print)
        throw new EvaluationError(
          `could not parse formatting clause: unrecognized formatting clause ${goQuote(letter)}`,
        );
      const index = next++;
      if (index >= values.length) throw new EvaluationError(`index ${index} out of range`);
      return print(values[index]!, precision === undefined ? PRECISION : Number(precision));
    },
  );
  if (next < values.length)
    throw new EvaluationError(`too many arguments supplied to string.format (expected ${next}, got ${values.length})`);
  return formatted;
}

const clauses: Readonly<Record<string, (value: Value, precision: number) => string>> = {
  s: text,
  d: (value) => String(whole(value, 'decimal clause can only be used on integers')),
  f: (value, precision) => {
    const number = real(value, 'fixed-point clause can only be used on doubles');
    if (!Number.isFinite(number)) return number > 0 ? '∞' : Number.isNaN(number) ? 'NaN' : '-∞';
    return number.toLocaleString('en-US', { minimumFractionDigits: precision, maximumFractionDigits: precision });
  },
  e: (value, precision) => {
    const [mantissa, exponent] = real(value, 'scientific clause can only be used on doubles')
      .toExponential(precision)
      .split('e');
    const [sign = '+', digits = ''] = [exponent?.[0], exponent?.slice(1)];
    return `${mantissa} × 10${sign === '-' ? '⁻' : ''}${superscript(digits)}`;
  },
  b: (value) =>
    typeof value === 'boolean'
      ? String(Number(value))
      : whole(value, 'only integers and bools can be formatted as binary').toString(2),
  o: (value) => whole(value, 'octal clause can only be used on integers').toString(8),
  x: hex,
  X: (value) => hex(value).toUpperCase(),
};

function superscript(digits: string): string {
  return digits.padStart(2, '0').replace(/[0-9]/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!);
}

function whole(value: Value, rule: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  throw new EvaluationError(`error during formatting: ${rule}, was given ${typeNameOf(value)}`);
}

function real(value: Value, rule: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  throw new EvaluationError(`error during formatting: ${rule}, was given ${typeNameOf(value)}`);
}

function hex(value: Value): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return whole(value, 'only integers, byte buffers, and strings can be formatted as hex').toString(16);
}

function text(value: Value): string {
  if (value instanceof ListValue) return `[${value.items.map(literal).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = value.keys().map((key) => `${literal(key)}:${literal(value.find(key)!)}`);
    return `{${entries.sort().join(', ')}}`;
  }
  return plain(value);
}

function plain(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return doubleText(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof TypeValue) return value.name;
  if (typeof value === 'object')
    throw new EvaluationError(
      `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
    );
  return String(value);
}

// Inside of lists and maps values are printed as CEL would write them.
function literal(value: Value): string {
  if (typeof value === 'string') return goQuote(value);
  if (value instanceof Uint8Array) return `b${goQuote(Buffer.from(value).toString())}`;
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(PRECISION) : goQuote(doubleText(value));
  if (value instanceof Timestamp) return `timestamp(${goQuote(timestampText(value))})`;
  if (value instanceof Duration) return `duration(${goQuote(durationText(value))})`;
  return text(value);
}
