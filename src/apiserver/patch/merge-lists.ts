import { isJsonObject, type JsonObject, own } from './json-value.ts';
import { badPatch, PATCH, withoutDirectives } from './patch-directives.ts';

type Items = readonly unknown[];

/** What merging a list asks of its schema. */
export interface ListSchema {
  readonly mergeKey: string | undefined;
  readonly mergeElements: (original: JsonObject, patch: JsonObject) => JsonObject;
}

/** Merges a list of a patch into one of the document, by merge key or, for scalars, as a set. */
export function mergeLists(original: Items, patch: Items, list: ListSchema): Items {
  if (original.length === 0 && patch.length === 0) return original;
  const objects = holdsObjects(original, patch);
  if (!objects) return ordered([...new Set([...original, ...patch])], { patch, original, key: undefined });
  const key = list.mergeKey;
  if (key === undefined) throw badPatch('cannot merge lists without merge key');
  const { left, given, replaced } = applyDirectives(original, patch as readonly JsonObject[], key);
  if (replaced) return left;
  const merged = given.reduce<Items>((items, item) => mergeItem(items, item, { ...list, mergeKey: key }), left);
  return ordered(merged, { patch: given, original: left, key });
}

/** `$deleteFromPrimitiveList`: the list without these scalars. */
export function deleteItems(original: Items, unwanted: Items, list: ListSchema): Items {
  if (original.length === 0 && unwanted.length === 0) return original;
  if (holdsObjects(original, unwanted)) return mergeLists(original, unwanted, list);
  return original.filter((item) => !unwanted.includes(item));
}

/** A list whose order the patch gives by `$setElementOrder`. */
export interface OrderedList {
  readonly present: Items | undefined;
  readonly given: Items | undefined;
  readonly order: Items;
  readonly list: ListSchema & { readonly merges: boolean };
}

/** Merges and orders it: items that the order names as it says, others near where they were. */
export function orderItems({ present, given, order, list }: OrderedList): Items {
  const key = list.mergeKey;
  checkOrder(given ?? [], order, key);
  const both = [present ?? [], given ?? []] as const;
  if (both[0].length + both[1].length === 0) throw badPatch('no elements in any of the given slices');
  holdsObjects(...both);
  return ordered(mergedItems(present, given, list), { patch: order, original: present ?? [], key });
}

function mergedItems(present: Items | undefined, given: Items | undefined, list: OrderedList['list']): Items {
  if (given === undefined) return present ?? [];
  if (present === undefined) return withoutDirectives(given) as unknown[];
  return list.merges ? mergeLists(present, given, list) : given;
}

// All items of both lists must be of one kind; true for objects.
function holdsObjects(original: Items, patch: Items): boolean {
  const kinds = new Set([...original, ...patch].map(kindOf));
  if (kinds.has('list')) throw badPatch('lists of lists are not supported');
  if (kinds.size > 1) throw badPatch('list element types are not identical');
  return kinds.has('object');
}

function kindOf(item: unknown): string {
  if (item === null) return 'null';
  return Array.isArray(item) ? 'list' : typeof item;
}

interface Directed {
  readonly left: Items;
  readonly given: readonly JsonObject[];
  readonly replaced: boolean;
}

function applyDirectives(original: Items, patch: readonly JsonObject[], key: string): Directed {
  let left = original;
  let replaced = false;
  for (const item of patch) {
    const directive = own(item, PATCH);
    if (directive === undefined) continue;
    if (directive === 'delete') {
      const unwanted = requiredKey(item, key);
      left = left.filter((present) => keyOf(present, key) !== unwanted);
    } else if (directive === 'replace') replaced = true;
    else if (directive === 'merge') throw badPatch('merging lists cannot yet be specified in the patch');
    else throw badPatch(`unknown patch type: ${String(directive)} in map: ${JSON.stringify(item)}`);
  }
  const given = patch.filter((item) => !Object.hasOwn(item, PATCH));
  for (const item of given) requiredKey(item, key);
  return replaced ? { left: given, given: [], replaced } : { left, given, replaced };
}

function mergeItem(
  items: Items,
  item: JsonObject,
  { mergeKey, mergeElements }: ListSchema & { readonly mergeKey: string },
): Items {
  const index = items.findIndex((present) => keyOf(present, mergeKey) === item[mergeKey]);
  if (index === -1) return [...items, item];
  return items.with(index, mergeElements(items[index] as JsonObject, item));
}

const keyOf = (item: unknown, key: string): unknown => (isJsonObject(item) ? own(item, key) : undefined);

function requiredKey(item: unknown, key: string): unknown {
  const value = keyOf(item, key);
  if (value === undefined) throw badPatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  return value;
}

interface Order {
  /** The items that the patch knows, in its order. */
  readonly patch: Items;
  /** The list as it was. */
  readonly original: Items;
  readonly key: string | undefined;
}

// Items of the patch in its order; the others go before the first of them that they were before.
function ordered(merged: Items, { patch, original, key }: Order): Items {
  const idOf = (item: unknown): unknown => (key === undefined ? item : requiredKey(item, key));
  const [inPatch, inOriginal] = [indexes(patch, key), indexes(original, key)];
  const sort = (items: unknown[], at: ReadonlyMap<unknown, number>): unknown[] =>
    items.sort((a, b) => (at.get(idOf(a)) ?? 0) - (at.get(idOf(b)) ?? 0));
  const right = sort(
    merged.filter((item) => inPatch.has(idOf(item))),
    inPatch,
  );
  const left = sort(
    merged.filter((item) => !inPatch.has(idOf(item))),
    inOriginal,
  );
  const all: unknown[] = [];
  let next = 0;
  for (const item of right) {
    const at = inOriginal.get(idOf(item));
    for (; next < left.length && at !== undefined && (inOriginal.get(idOf(left[next])) ?? at) < at; next++)
      all.push(left[next]);
    all.push(item);
  }
  return [...all, ...left.slice(next)];
}

function indexes(items: Items, key: string | undefined): ReadonlyMap<unknown, number> {
  const at = new Map<unknown, number>();
  for (const [index, item] of items.entries()) {
    const id = key === undefined ? item : keyOf(item, key);
    if (id !== undefined && !at.has(id)) at.set(id, index);
  }
  return at;
}

// The items of the patch must come in the order that it sets.
function checkOrder(given: Items, order: Items, key: string | undefined): void {
  if (given.length === 0 || order.length === 0) return;
  const items = given.filter((item) => !(isJsonObject(item) && Object.hasOwn(item, PATCH)));
  let next = 0;
  for (const name of order) if (next < items.length && same(items[next], name, key)) next++;
  if (next < items.length)
    throw badPatch(
      `The order in patch list:\n${JSON.stringify(given)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
    );
}

function same(item: unknown, name: unknown, key: string | undefined): boolean {
  return key === undefined ? item === name : requiredKey(item, key) === requiredKey(name, key);
}
