import { addressBits, familyOf, parsePrefix, prefixContains } from '../address.ts';
import type { Element, Field, Lookup, NumberGenerator } from '../nftables/rule.ts';
import type { NamedSet } from '../nftables/table.ts';
import type { PathState } from './path-state.ts';
import { readField } from './read-field.ts';

/** Sets of the table that a lookup may name. */
export type Sets = ReadonlyMap<string, NamedSet>;

/** The element that the fields of a packet hit: undefined when none does, 'unreadable' when the packet lacks a field. */
export function findByFields(
  fields: readonly Field[],
  lookup: Lookup,
  { state, sets }: { readonly state: PathState; readonly sets: Sets },
): Element | 'unreadable' | undefined {
  if (fields.length === 1 && (fields[0] === 'ct state' || fields[0] === 'ct status')) {
    const bits = readField(fields[0], state);
    return elementsOf(lookup, sets).find(({ key }) => bits.includes(key));
  }
  const values: string[] = [];
  for (const field of fields) {
    const [value] = readField(field, state);
    if (value === undefined) return 'unreadable';
    values.push(value);
  }
  const exact = exactElement(lookup, values.join(' . '), sets);
  if (exact !== undefined || !mayHoldIntervals(lookup, sets)) return exact;
  return elementsOf(lookup, sets).find(({ key }) => covers(key, values));
}

/** An element of a map with the share of numbers of the generator that lead to it. */
export interface Share {
  readonly element: Element;
  readonly share: number;
}

/** The elements that a number generator may hit. Shares add up to less than 1 when numbers are missing from the map. */
export function findByGenerator(generator: NumberGenerator, lookup: Lookup, sets: Sets): Share[] {
  const end = generator.offset + generator.modulus;
  return elementsOf(lookup, sets).flatMap((element) => {
    const [first, last] = intervalOf(element.key);
    const hits = Math.min(end, last + 1) - Math.max(generator.offset, first);
    return hits > 0 ? [{ element, share: hits / generator.modulus }] : [];
  });
}

/** The elements of a named set, or the ones in the rule. */
export function elementsOf(lookup: Lookup, sets: Sets): readonly Element[] {
  if ('elements' in lookup) return lookup.elements;
  return [...(sets.get(lookup.name)?.elements.values() ?? [])];
}

function exactElement(lookup: Lookup, key: string, sets: Sets): Element | undefined {
  if ('elements' in lookup) return lookup.elements.find((element) => element.key === key);
  return sets.get(lookup.name)?.elements.get(key);
}

function mayHoldIntervals(lookup: Lookup, sets: Sets): boolean {
  return 'elements' in lookup || sets.get(lookup.name)?.flags.includes('interval') === true;
}

function covers(key: string, values: readonly string[]): boolean {
  const parts = key.split(' . ');
  return parts.length === values.length && parts.every((part, index) => coversValue(part, values[index] ?? ''));
}

// A pattern is a value, a prefix, a range `first-last`, or an interface name with `*` at its end.
function coversValue(pattern: string, value: string): boolean {
  if (pattern === value) return true;
  if (pattern.endsWith('*')) return value.startsWith(pattern.slice(0, -1));
  if (pattern.includes('/')) {
    const prefix = parsePrefix(pattern);
    return prefix !== undefined && prefixContains(prefix, value);
  }
  const [first, last] = pattern.split('-');
  if (first === undefined || last === undefined) return false;
  const family = familyOf(value);
  if (family === undefined) return Number(first) <= Number(value) && Number(value) <= Number(last);
  if (familyOf(first) !== family || familyOf(last) !== family) return false;
  const bits = addressBits(value);
  return addressBits(first) <= bits && bits <= addressBits(last);
}

function intervalOf(key: string): readonly [first: number, last: number] {
  const [first, last] = key.split('-');
  return [Number(first), Number(last ?? first)];
}
