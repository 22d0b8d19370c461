import { patternOf } from '../../custom/go-pattern.ts';
import type { FunctionTable } from '../function-table.ts';
import { EvaluationError, ListValue, type Value } from '../values.ts';
import { formatText } from './format-text.ts';

const MAX_TEXT = 1 << 20;

/** Texts, with what upstream's string and regular expression libraries add. Indices count code points. */
export const strings: FunctionTable = {
  '<string>.contains(string)': (text: string, part: string) => text.includes(part),
  '<string>.startsWith(string)': (text: string, part: string) => text.startsWith(part),
  '<string>.endsWith(string)': (text: string, part: string) => text.endsWith(part),
  '<string>.matches(string)': matches,
  'matches(string, string)': matches,
  '<string>.find(string)': (text: string, pattern: string) => regular(pattern).exec(text)?.[0] ?? '',
  '<string>.findAll(string)': (text: string, pattern: string) => findAll(text, pattern, -1n),
  '<string>.findAll(string, int)': findAll,
  '<string>.charAt(int)': (text: string, index: bigint) => {
    const chars = [...text];
    if (index < 0n || index > chars.length) throw outOfRange(index);
    return chars[Number(index)] ?? '';
  },
  '<string>.indexOf(string)': (text: string, part: string) => indexOf(text, part, 0n),
  '<string>.indexOf(string, int)': indexOf,
  '<string>.lastIndexOf(string)': (text: string, part: string) =>
    part === '' ? BigInt([...text].length) : lastIndexOf(text, part, BigInt(Math.max(0, [...text].length - 1))),
  '<string>.lastIndexOf(string, int)': lastIndexOf,
  '<string>.lowerAscii()': (text: string) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
  '<string>.upperAscii()': (text: string) => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
  '<string>.replace(string, string)': (text: string, old: string, now: string) => replace(text, old, now, -1n),
  '<string>.replace(string, string, int)': replace,
  '<string>.split(string)': (text: string, separator: string) => split(text, separator, -1n),
  '<string>.split(string, int)': split,
  '<string>.substring(int)': (text: string, start: bigint) => substring(text, start, undefined),
  '<string>.substring(int, int)': substring,
  '<string>.trim()': (text: string) => text.trim(),
  '<list>.join()': (list: ListValue) => join(list, ''),
  '<list>.join(string)': join,
  '<string>.format(list)': (text: string, list: ListValue) => formatText(text, list.items),
  'strings.quote(string)': quote,
};

function outOfRange(index: bigint): EvaluationError {
  return new EvaluationError(`index out of range: ${index}`);
}

function regular(pattern: string, flags = ''): RegExp {
  const compiled = patternOf(pattern);
  if (!compiled) throw new EvaluationError(`error parsing regexp: \`${pattern}\``);
  return flags === '' ? compiled : new RegExp(compiled, `${compiled.flags}${flags}`);
}

function matches(text: string, pattern: string): Value {
  return regular(pattern).test(text);
}

function findAll(text: string, pattern: string, limit: bigint): Value {
  const found = [...text.matchAll(regular(pattern, 'g'))].map(([match]) => match);
  return new ListValue(limit < 0n ? found : found.slice(0, Number(limit)));
}

function indexOf(text: string, part: string, from: bigint): bigint {
  if (part === '') return from;
  if (from < 0n) throw outOfRange(from);
  const chars = [...text];
  if (from >= chars.length) return -1n;
  const before = chars.slice(0, Number(from)).join('').length;
  const index = text.indexOf(part, before);
  return index === -1 ? -1n : BigInt([...text.slice(0, index)].length);
}

function lastIndexOf(text: string, part: string, from: bigint): bigint {
  if (part === '') return from;
  if (from < 0n) throw outOfRange(from);
  const chars = [...text];
  if (from >= chars.length) return -1n;
  const before = chars.slice(0, Number(from)).join('').length;
  const index = text.lastIndexOf(part, before);
  return index === -1 ? -1n : BigInt([...text.slice(0, index)].length);
}

function replace(text: string, old: string, now: string, limit: bigint): string {
  if (limit === 0n) return text;
  const parts = old === '' ? ['', ...text, ''] : text.split(old);
  const times = limit < 0n ? parts.length - 1 : Math.min(Number(limit), parts.length - 1);
  if (text.length + now.length * times > MAX_TEXT)
    throw new EvaluationError('operation cancelled: actual cost limit exceeded');
  const head = parts.slice(0, times + 1).join(now);
  const tail = parts.slice(times + 1);
  return tail.length === 0 ? head : head + old + tail.join(old);
}

function split(text: string, separator: string, limit: bigint): Value {
  if (limit === 0n) return new ListValue([]);
  const parts = separator === '' ? [...text] : text.split(separator);
  if (limit < 0n || parts.length <= limit) return new ListValue(parts);
  const kept = Number(limit) - 1;
  return new ListValue([...parts.slice(0, kept), parts.slice(kept).join(separator)]);
}

function substring(text: string, start: bigint, end: bigint | undefined): string {
  const chars = [...text];
  const stop = end ?? BigInt(chars.length);
  if (end !== undefined && start > end)
    throw new EvaluationError(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > chars.length) throw outOfRange(start);
  if (stop < 0n || stop > chars.length) throw outOfRange(stop);
  return chars.slice(Number(start), Number(stop)).join('');
}

function join({ items }: ListValue, separator: string): string {
  const wrong = items.find((item) => typeof item !== 'string');
  if (wrong !== undefined) throw new EvaluationError(`join: invalid input: ${String(wrong)}`);
  return items.join(separator);
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  return `"${text.toWellFormed().replace(/[\x07\b\f\n\r\t\v\\"]/g, (char) => escapes[char]!)}"`;
}
