import type { SchemaNode } from '../schema/contract.ts';
import type { ApplyStrategicMergePatch } from './contract.ts';
import { isJsonObject, type JsonObject, own, withField, withoutField } from './json-value.ts';
import { deleteItems, type ListSchema, mergeLists, orderItems } from './merge-lists.ts';
import { badPatch, PATCH, withoutDirectives, withoutNulls } from './patch-directives.ts';

/** Applies a strategic merge patch with all its directives, as kubectl and the real server do. Changes neither argument. */
export const applyStrategicMergePatch: ApplyStrategicMergePatch = (document, patch, node) => {
  if (!isJsonObject(patch))
    throw badPatch('json: cannot unmarshal a value that is no object into Go value of type map[string]interface {}');
  return mergeObjects(isJsonObject(document) ? document : {}, patch, node);
};

const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList';
const SET_ORDER = '$setElementOrder';

function mergeObjects(original: JsonObject, patch: JsonObject, node: SchemaNode | undefined): JsonObject {
  if (Object.hasOwn(patch, PATCH)) return directed(patch);
  const retained = retainKeys(original, patch);
  const { result, rest } = mergeOrderedLists(retained, withoutField(patch, RETAIN_KEYS), node);
  return Object.keys(rest).reduce((merged, key) => mergeField(merged, { key, value: rest[key] }, node), result);
}

function directed(patch: JsonObject): JsonObject {
  const directive = patch[PATCH];
  if (directive === 'replace') return withoutField(patch, PATCH);
  if (directive === 'delete') return {};
  throw badPatch(`unknown patch type: ${String(directive)} in map: ${JSON.stringify(patch)}`);
}

function retainKeys(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = own(patch, RETAIN_KEYS);
  if (keys === undefined) return original;
  if (!Array.isArray(keys)) throw badPatch('invalid patch format of retainKeys');
  const kept = new Set<unknown>(keys);
  for (const [key, value] of Object.entries(patch)) {
    const isDirective = key === RETAIN_KEYS || key.startsWith(DELETE_FROM) || key.startsWith(SET_ORDER);
    if (!isDirective && value !== null && !kept.has(key)) throw badPatch('invalid patch format of retainKeys');
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => kept.has(key)));
}

interface PatchField {
  readonly key: string;
  readonly value: unknown;
}

function mergeField(original: JsonObject, { key, value }: PatchField, node: SchemaNode | undefined): JsonObject {
  if (key.startsWith(DELETE_FROM)) return deleteFromList(original, { key, value }, node);
  if (value === null) return Object.hasOwn(original, key) ? withoutField(original, key) : original;
  const present = own(original, key);
  const field = childOf(node, key);
  if (isJsonObject(present) && isJsonObject(value)) {
    const merged = field?.patchStrategies?.includes('replace') ? value : mergeObjects(present, value, field);
    return withField(original, key, merged);
  }
  if (Array.isArray(present) && Array.isArray(value)) {
    const merges = field?.patchStrategies?.includes('merge') === true;
    return withField(original, key, merges ? mergeLists(present, value, listOf(field)) : value);
  }
  return taken(original, key, value);
}

// What the document does not have, or has in another form, is taken as it stands, without nulls and directives.
function taken(original: JsonObject, key: string, value: unknown): JsonObject {
  const clean = withoutDirectives(withoutNulls(value));
  if (clean === undefined) return Object.hasOwn(original, key) ? withoutField(original, key) : original;
  return withField(original, key, clean);
}

function deleteFromList(original: JsonObject, { key, value }: PatchField, node: SchemaNode | undefined): JsonObject {
  const name = directiveTarget(key, DELETE_FROM, 'invalid patch format of primitive list');
  if (value === null) return Object.hasOwn(original, name) ? withoutField(original, name) : original;
  const present = own(original, name);
  if (!Array.isArray(present) || !Array.isArray(value)) return original;
  return withField(original, name, deleteItems(present, value, listOf(childOf(node, name))));
}

interface Ordered {
  readonly result: JsonObject;
  /** What is left of the patch. */
  readonly rest: JsonObject;
}

// Lists whose order the patch gives are merged and ordered together.
function mergeOrderedLists(original: JsonObject, patch: JsonObject, node: SchemaNode | undefined): Ordered {
  let ordered: Ordered = { result: original, rest: patch };
  for (const key of Object.keys(patch)) if (key.startsWith(SET_ORDER)) ordered = mergeOrderedList(ordered, key, node);
  return ordered;
}

function mergeOrderedList({ result, rest }: Ordered, key: string, node: SchemaNode | undefined): Ordered {
  const order = rest[key];
  const name = directiveTarget(key, SET_ORDER, 'invalid patch format of setElementOrder list');
  const [present, given] = [own(result, name), own(rest, name)];
  const remaining = withoutField(rest, key);
  for (const list of [order, present, given])
    if (list !== undefined && !Array.isArray(list))
      throw badPatch(`expected a []interface {}, but received a ${goKind(list)}`);
  if (present === undefined && given === undefined) return { result, rest: remaining };
  const list = {
    ...listOf(childOf(node, name)),
    merges: childOf(node, name)?.patchStrategies?.includes('merge') === true,
  };
  const items = orderItems({
    present: present as unknown[] | undefined,
    given: given as unknown[] | undefined,
    order: order as unknown[],
    list,
  });
  return { result: withField(result, name, items), rest: withoutField(remaining, name) };
}

function goKind(value: unknown): string {
  if (value === null) return '%!s(<nil>)';
  return isJsonObject(value) ? 'map[string]interface {}' : typeof value === 'boolean' ? 'bool' : typeof value;
}

function directiveTarget(key: string, directive: string, problem: string): string {
  if (!key.startsWith(`${directive}/`)) throw badPatch(problem);
  return key.slice(directive.length + 1);
}

function childOf(node: SchemaNode | undefined, key: string): SchemaNode | undefined {
  return node?.fields?.get(key)?.node ?? (node?.type === 'map' ? node.element : undefined);
}

function listOf(field: SchemaNode | undefined): ListSchema {
  return {
    mergeKey: field?.patchMergeKey,
    mergeElements: (original, patch) => mergeObjects(original, patch, field?.element),
  };
}
