import type { FunctionTable } from '../function-table.ts';
import { CostExceeded } from '../meter.ts';
import { binaryOperators } from '../operators.ts';
import { compare, EvaluationError, equal, ListValue, Optional, type Value } from '../values.ts';

const MAX_RANGE = 1_000_000n;

/** Lists, with what upstream's list and set libraries add. */
export const lists: FunctionTable = {
  '<list>.isSorted()': ({ items }: ListValue) => items.every((item, i) => i === 0 || compare(items[i - 1]!, item) <= 0),
  '<list>.sum()': ({ items }: ListValue) =>
    items.length === 0 ? 0n : items.reduce((sum, item) => binaryOperators['_+_']!(sum, item)),
  '<list>.min()': ({ items }: ListValue) => best(items, 'min', (order) => order > 0),
  '<list>.max()': ({ items }: ListValue) => best(items, 'max', (order) => order < 0),
  '<list>.indexOf(any)': ({ items }: ListValue, value: Value) => BigInt(items.findIndex((item) => equal(item, value))),
  '<list>.lastIndexOf(any)': ({ items }: ListValue, value: Value) =>
    BigInt(items.findLastIndex((item) => equal(item, value))),
  '<list>.slice(int, int)': slice,
  '<list>.flatten()': (list: ListValue) => new ListValue(flatten(list, 1n)),
  '<list>.flatten(int)': (list: ListValue, depth: bigint) => {
    if (depth < 0n) throw new EvaluationError('level must be non-negative');
    return new ListValue(flatten(list, depth));
  },
  '<list>.sort()': ({ items }: ListValue) => new ListValue([...items].sort(compare)),
  '<list>.reverse()': ({ items }: ListValue) => new ListValue([...items].reverse()),
  '<list>.distinct()': ({ items }: ListValue) =>
    new ListValue(items.filter((item, i) => items.findIndex((other) => equal(other, item)) === i)),
  '<list>.first()': ({ items }: ListValue) => (items.length === 0 ? Optional.none : new Optional(items[0])),
  '<list>.last()': ({ items }: ListValue) => (items.length === 0 ? Optional.none : new Optional(items.at(-1))),
  'lists.range(int)': (length: bigint) => {
    if (length > MAX_RANGE) throw new CostExceeded('operation cancelled: actual cost limit exceeded');
    return new ListValue(Array.from({ length: Math.max(0, Number(length)) }, (_, i) => BigInt(i)));
  },
  'sets.contains(list, list)': contains,
  'sets.equivalent(list, list)': (a: ListValue, b: ListValue) => contains(a, b) && contains(b, a),
  'sets.intersects(list, list)': (a: ListValue, b: ListValue) => b.items.some((item) => has(a, item)),
};

function best(items: readonly Value[], name: string, isWorse: (order: number) => boolean): Value {
  if (items.length === 0) throw new EvaluationError(`${name} called on empty list`);
  return items.reduce((found, item) => (isWorse(compare(found, item)) ? item : found));
}

function slice({ items }: ListValue, start: bigint, end: bigint): Value {
  const fail = (problem: string): EvaluationError => new EvaluationError(`cannot slice(${start}, ${end}), ${problem}`);
  if (start < 0n || end < 0n) throw fail('negative indexes not supported');
  if (start > end) throw fail('start index must be less than or equal to end index');
  if (end > items.length) throw fail(`list is length ${items.length}`);
  return new ListValue(items.slice(Number(start), Number(end)));
}

function flatten({ items }: ListValue, depth: bigint): Value[] {
  return items.flatMap((item) => (item instanceof ListValue && depth > 0n ? flatten(item, depth - 1n) : [item]));
}

const has = ({ items }: ListValue, value: Value): boolean => items.some((item) => equal(item, value));

function contains(list: ListValue, part: ListValue): boolean {
  return part.items.every((item) => has(list, item));
}
