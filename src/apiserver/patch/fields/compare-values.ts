import type { SchemaNode } from '../../schema/contract.ts';
import { isJsonObject, type JsonObject, jsonEquals, own } from '../json-value.ts';
import { type Atom, atomOf, itemElement } from './atom.ts';
import { type FieldSet, FieldSetBuilder } from './field-set.ts';
import { fieldElement, type PathElement } from './path-element.ts';

/** Which fields differ between two values. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Compares two values of one schema; undefined stands for one that is not there. */
export function compareValues(node: SchemaNode, before: unknown, after: unknown): Comparison {
  const walk = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  compare({ walk, path: [], node }, before, after);
  return { added: walk.added.build(), modified: walk.modified.build(), removed: walk.removed.build() };
}

interface Place {
  readonly walk: Readonly<Record<keyof Comparison, FieldSetBuilder>>;
  // One list for the whole walk: a step is there while what lies below it is compared.
  readonly path: PathElement[];
  readonly node: SchemaNode;
}

function compareBelow({ walk, path }: Place, element: PathElement, node: SchemaNode, [before, after]: Pair): void {
  path.push(element);
  compare({ walk, path, node }, before, after);
  path.pop();
}

function compare(place: Place, before: unknown, after: unknown): void {
  if (before === after) return;
  const old = atomOf(place.node, before);
  const current = atomOf(place.node, after);
  // A value without a schema may change its form altogether: the first of the two looks counts, as upstream has it.
  const isLeaf =
    after === undefined ? compareAs(old, place, before, after) : compareForms({ old, current }, place, before, after);
  if (isLeaf) return;
  if (before === undefined) place.walk.added.insert(place.path);
  else if (after === undefined) place.walk.removed.insert(place.path);
}

interface Forms {
  readonly old: Atom;
  readonly current: Atom;
}

function compareForms({ old, current }: Forms, place: Place, before: unknown, after: unknown): boolean {
  if (before === undefined || old.type === current.type) return compareAs(current, place, before, after);
  compareAs(old, place, before, after);
  return compareAs(current, place, before, after);
}

// True when the value was compared as a whole.
function compareAs(atom: Atom, place: Place, before: unknown, after: unknown): boolean {
  if (atom.type === 'scalar') return compareLeaf(place, before, after);
  if (atom.type === 'list') {
    const old = asList(before);
    const current = asList(after);
    if (atom.atomic || (isEmptyList(old) && isEmptyList(current))) return compareLeaf(place, before, after);
    compareItems(atom, place, old ?? [], current ?? []);
    return false;
  }
  const old = asObject(before);
  const current = asObject(after);
  if (atom.atomic || (isEmptyObject(old) && isEmptyObject(current))) return compareLeaf(place, before, after);
  compareFields(atom, place, old ?? NOTHING, current ?? NOTHING);
  return false;
}

const NOTHING: JsonObject = {};
const asList = (value: unknown): readonly unknown[] | undefined => (Array.isArray(value) ? value : undefined);
const asObject = (value: unknown): JsonObject | undefined => (isJsonObject(value) ? value : undefined);
const isEmptyList = (list: readonly unknown[] | undefined): boolean => list === undefined || list.length === 0;

function isEmptyObject(object: JsonObject | undefined): boolean {
  return object === undefined || Object.keys(object).length === 0;
}

function compareLeaf({ walk, path }: Place, before: unknown, after: unknown): true {
  if (before === undefined) walk.added.insert(path);
  else if (after === undefined) walk.removed.insert(path);
  else if (!jsonEquals(before, after)) walk.modified.insert(path);
  return true;
}

function compareFields(
  atom: Atom & { readonly type: 'map' },
  place: Place,
  before: JsonObject,
  after: JsonObject,
): void {
  for (const key of Object.keys(before)) compareField(atom, place, key, [before[key], own(after, key)]);
  for (const key of Object.keys(after))
    if (!Object.hasOwn(before, key)) compareField(atom, place, key, [undefined, after[key]]);
}

type Pair = readonly [before: unknown, after: unknown];

function compareField(atom: Atom & { readonly type: 'map' }, place: Place, key: string, pair: Pair): void {
  const node = atom.below(key);
  if (node !== undefined && pair[0] !== pair[1]) compareBelow(place, fieldElement(key), node, pair);
}

type Items = readonly unknown[];

function compareItems(atom: Atom & { readonly type: 'list' }, place: Place, before: Items, after: Items): void {
  const [old, current] = [itemsByElement(atom, before), itemsByElement(atom, after)];
  for (const element of new Set([...old.keys(), ...current.keys()])) {
    const [left, right] = [old.get(element) ?? [], current.get(element) ?? []];
    if (left.length <= 1 && right.length <= 1) {
      compareBelow(place, element, atom.element, [left[0], right[0]]);
      continue;
    }
    place.path.push(element);
    compareTwins({ ...place, node: atom.element }, left, right);
    place.path.pop();
  }
}

// Items that stand there twice are told from each other by nothing: they change, come and go as a whole.
function compareTwins(place: Place, before: Items, after: Items): void {
  const { walk, path } = place;
  if (before.length >= 2 && after.length >= 2) {
    if (!jsonEquals(before, after)) walk.modified.insert(path);
  } else if (before.length >= 2) {
    if (after.length > 0) compare(place, undefined, after[0]);
    walk.removed.insert(path);
  } else {
    if (before.length > 0) compare(place, before[0], undefined);
    walk.added.insert(path);
  }
}

function itemsByElement(atom: Atom & { readonly type: 'list' }, items: Items): Map<PathElement, unknown[]> {
  const found = new Map<PathElement, unknown[]>();
  for (const item of items) {
    const element = itemElement(atom, item);
    const same = found.get(element);
    if (same) same.push(item);
    else found.set(element, [item]);
  }
  return found;
}
