import { goQuote } from '../../go-text.ts';
import type { FunctionTable } from '../function-table.ts';
import { checkInt, checkUint } from '../operators.ts';
import {
  type Duration,
  EvaluationError,
  type ListValue,
  type MapValue,
  type Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from '../values.ts';
import { durationText, timestampText } from './time-text.ts';

const whole = (value: number): bigint => {
  if (!Number.isFinite(value)) throw new EvaluationError('integer overflow');
  return BigInt(Math.trunc(value));
};
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Sizes, types, and conversions from one type to another. */
export const conversions: FunctionTable = {
  'size(string)': codePoints,
  'size(bytes)': (bytes: Uint8Array) => BigInt(bytes.length),
  'size(list)': (list: ListValue) => BigInt(list.size),
  'size(map)': (map: MapValue) => BigInt(map.size),
  '<string>.size()': codePoints,
  '<bytes>.size()': (bytes: Uint8Array) => BigInt(bytes.length),
  '<list>.size()': (list: ListValue) => BigInt(list.size),
  '<map>.size()': (map: MapValue) => BigInt(map.size),
  'type(any)': (value: Value) => new TypeValue(typeNameOf(value)),
  'dyn(any)': (value: Value) => value,
  'int(int)': (value: bigint) => value,
  'int(uint)': ({ value }: Uint) => checkInt(value),
  'int(double)': (value: number) => checkInt(whole(value)),
  'int(string)': (text: string) =>
    parse(text, 'ParseInt', /^[+-]?[0-9]+$/, (value) => BigInt.asIntN(64, value) === value),
  'int(google.protobuf.Timestamp)': ({ nanos }: Timestamp) => floor(nanos, 1_000_000_000n),
  'int(google.protobuf.Duration)': ({ nanos }: Duration) => nanos,
  'uint(uint)': (value: Uint) => value,
  'uint(int)': (value: bigint) => checkUint(value),
  'uint(double)': (value: number) => checkUint(whole(value)),
  'uint(string)': (text: string) =>
    new Uint(parse(text, 'ParseUint', /^[0-9]+$/, (value) => BigInt.asUintN(64, value) === value)),
  'double(double)': (value: number) => value,
  'double(int)': (value: bigint) => Number(value),
  'double(uint)': ({ value }: Uint) => Number(value),
  'double(string)': parseDouble,
  'bool(bool)': (value: boolean) => value,
  'bool(string)': (text: string) => {
    if (!TRUE.has(text) && !FALSE.has(text)) throw syntaxProblem('ParseBool', text);
    return TRUE.has(text);
  },
  'string(string)': (text: string) => text,
  'string(bool)': (value: boolean) => String(value),
  'string(int)': (value: bigint) => String(value),
  'string(uint)': ({ value }: Uint) => String(value),
  'string(double)': doubleText,
  'string(bytes)': (bytes: Uint8Array) => {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new EvaluationError('invalid UTF-8 in bytes, cannot convert to string');
    }
  },
  'string(google.protobuf.Timestamp)': timestampText,
  'string(google.protobuf.Duration)': durationText,
  'bytes(bytes)': (bytes: Uint8Array) => bytes,
  'bytes(string)': (text: string) => Buffer.from(text),
};

function codePoints(text: string): bigint {
  return BigInt([...text].length);
}

/** A quotient, rounded down. */
export function floor(a: bigint, b: bigint): bigint {
  return a / b - (a % b < 0n ? 1n : 0n);
}

/** A double as Go's `%g` prints it. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 21) return Object.is(value, -0) ? '-0' : String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function syntaxProblem(name: string, text: string, problem = 'invalid syntax'): EvaluationError {
  return new EvaluationError(`strconv.${name}: parsing ${goQuote(text)}: ${problem}`);
}

function parse(text: string, name: string, pattern: RegExp, fits: (value: bigint) => boolean): bigint {
  if (!pattern.test(text)) throw syntaxProblem(name, text);
  const value = BigInt(text.replace(/^\+/, ''));
  if (!fits(value)) throw syntaxProblem(name, text, 'value out of range');
  return value;
}

function parseDouble(text: string): number {
  if (/^[+-]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) throw syntaxProblem('ParseFloat', text);
  return Number(text);
}
