import { setOwn } from '../../schema/canonical-form.ts';
import type { SchemaNode } from '../../schema/contract.ts';
import { isJsonObject, type JsonObject, own } from '../json-value.ts';
import { type Atom, atomOf, itemElement } from './atom.ts';
import type { PathElement } from './path-element.ts';

/** Merges a configuration into a value of the same schema: what the configuration says wins. Neither is changed. */
export function mergeValues(node: SchemaNode, value: unknown, config: unknown): unknown {
  if (config === undefined) return value;
  const atom = atomOf(node, config);
  if (value === undefined || atom.type === 'scalar' || atom.atomic) return config;
  if (atom.type === 'list') return mergeLists(atom, value, config);
  return mergeObjects(atom, value, config);
}

function mergeObjects(atom: Atom & { readonly type: 'map' }, value: unknown, config: unknown): unknown {
  const [left, right] = [isJsonObject(value) ? value : {}, isJsonObject(config) ? config : {}];
  if (Object.keys(left).length === 0 && Object.keys(right).length === 0) return config;
  const merged: Record<string, unknown> = {};
  for (const key of Object.keys(left)) setOwn(merged, key, mergeField(atom, key, left, right));
  for (const key of Object.keys(right)) if (!Object.hasOwn(left, key)) setOwn(merged, key, right[key]);
  return merged;
}

function mergeField(atom: Atom & { readonly type: 'map' }, key: string, left: JsonObject, right: JsonObject): unknown {
  const node = atom.below(key);
  return node === undefined ? (own(right, key) ?? left[key]) : mergeValues(node, left[key], own(right, key));
}

type Items = readonly unknown[];

function mergeLists(atom: Atom & { readonly type: 'list' }, value: unknown, config: unknown): unknown {
  const [left, right] = [Array.isArray(value) ? value : [], Array.isArray(config) ? config : []];
  if (left.length === 0 && right.length === 0) return config;
  return mergeItems(atom, left, right);
}

// Items that both have stand in the order of the configuration, the others keep their place before the next shared one.
function mergeItems(atom: Atom & { readonly type: 'list' }, left: Items, right: Items): Items {
  const leftElements = left.map((item) => itemElement(atom, item));
  const rightElements = right.map((item) => itemElement(atom, item));
  const before = uniqueItems(left, leftElements);
  const after = new Map(rightElements.map((element, index) => [element, right[index]]));
  const shared = rightElements.filter((element) => before.has(element));
  const merged: unknown[] = [];
  const done = new Set<PathElement>();
  const take = (element: PathElement): void => {
    done.add(element);
    merged.push(
      before.has(element) ? mergeValues(atom.element, before.get(element), after.get(element)) : after.get(element),
    );
  };
  let [l, r, next] = [0, 0, 0];
  while (l < left.length || r < right.length) {
    const [mine, theirs] = [leftElements[l], rightElements[r]];
    if (mine !== undefined && theirs !== undefined) {
      if (mine === theirs) {
        take(mine);
        [l, r, next] = [l + 1, r + 1, next + 1];
        continue;
      }
      if (after.has(mine) && next < shared.length && shared[next] !== mine) {
        l++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!after.has(mine)) {
        merged.push(left[l]);
        l++;
        continue;
      }
      if (done.has(mine)) l++;
    }
    if (theirs === undefined) continue;
    take(theirs);
    r++;
    if (next < shared.length && shared[next] === theirs) next++;
  }
  return merged;
}

// An item that stands there twice gives way to what the configuration has in its place.
function uniqueItems(items: Items, elements: readonly PathElement[]): Map<PathElement, unknown> {
  const found = new Map<PathElement, unknown>();
  for (const [index, element] of elements.entries()) found.set(element, found.has(element) ? undefined : items[index]);
  return found;
}
