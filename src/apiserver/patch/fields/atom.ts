import type { SchemaNode } from '../../schema/contract.ts';
import { isJsonObject } from '../json-value.ts';
import { keyElement, type PathElement, valueElement } from './path-element.ts';

/** How a value merges, decided by its schema and, where that leaves it open, by the value itself. */
export type Atom =
  | { readonly type: 'scalar' }
  | { readonly type: 'list'; readonly atomic: boolean; readonly keys: readonly string[]; readonly element: SchemaNode }
  | {
      readonly type: 'map';
      readonly atomic: boolean;
      /** Schema below a key; undefined where the schema knows no such field. */
      readonly below: (key: string) => SchemaNode | undefined;
      /** True for a field that the schema names, false for a key of a map. */
      readonly isField: (key: string) => boolean;
    };

/** Schema of what no schema describes: maps merge, lists are replaced as a whole. */
export const untyped: SchemaNode = { type: 'any', goType: '' };
const scalar: Atom = { type: 'scalar' };
const untypedList: Atom = { type: 'list', atomic: true, keys: [], element: untyped };
const untypedMap: Atom = { type: 'map', atomic: false, below: () => untyped, isField: () => false };
const untypedAtomicMap: Atom = { ...untypedMap, atomic: true };

const atoms = new WeakMap<SchemaNode, Atom>();

/** The atom of a value; undefined or null values are what their schema says. */
export function atomOf(node: SchemaNode, value: unknown): Atom {
  if (node.type === 'any') return untypedAtom(node, value);
  let atom = atoms.get(node);
  if (atom === undefined) {
    atom = makeAtom(node);
    atoms.set(node, atom);
  }
  return atom;
}

function untypedAtom(node: SchemaNode, value: unknown): Atom {
  if (Array.isArray(value)) return untypedList;
  if (value === null || value === undefined || isJsonObject(value))
    return node.goType === 'runtime.RawExtension' || node.mapType === 'atomic' ? untypedAtomicMap : untypedMap;
  return scalar;
}

function makeAtom(node: SchemaNode): Atom {
  const { fields, element } = node;
  switch (node.type) {
    case 'struct':
      return {
        type: 'map',
        atomic: node.mapType === 'atomic',
        // A struct without fields is free in its form.
        below: (key) =>
          fields?.get(key)?.node ?? element ?? (node.preserveUnknown || fields?.size === 0 ? untyped : undefined),
        isField: (key) => fields?.has(key) ?? false,
      };
    case 'map':
      return { type: 'map', atomic: node.mapType === 'atomic', below: () => element, isField: () => false };
    case 'list':
      return { type: 'list', ...listMerging(node), element: element ?? untyped };
    default:
      return scalar;
  }
}

// Where a list says nothing of server-side apply, what it says of strategic merge patches counts.
function listMerging({ listType, listMapKeys, patchStrategies, patchMergeKey }: SchemaNode) {
  if (listType === 'map') return { atomic: false, keys: listMapKeys ?? [] };
  if (listType === 'set') return { atomic: false, keys: [] };
  const merges = listType === undefined && patchStrategies?.includes('merge') === true;
  return { atomic: !merges, keys: merges && patchMergeKey !== undefined ? [patchMergeKey] : [] };
}

/** A list item cannot be told from the others. */
export class KeyProblem extends Error {}

/** The step to an item of an associative list. Throws KeyProblem with upstream's text. */
export function itemElement(list: Atom & { readonly type: 'list' }, item: unknown): PathElement {
  if (list.keys.length > 0) return keyedElement(list, item);
  if (item === null) throw new KeyProblem("associative list without keys has an element that's an explicit null");
  if (Array.isArray(item)) throw new KeyProblem('not supported: associative list with lists as elements');
  if (isJsonObject(item)) throw new KeyProblem("associative list without keys has an element that's a map type");
  return valueElement(item);
}

function keyedElement({ keys, element }: Atom & { readonly type: 'list' }, item: unknown): PathElement {
  if (item === null) throw new KeyProblem('associative list with keys may not have a null element');
  if (!isJsonObject(item)) throw new KeyProblem('associative list with keys may not have non-map elements');
  const found: Record<string, unknown> = {};
  for (const key of keys) {
    const value = Object.hasOwn(item, key) ? item[key] : keyDefault(element, key);
    if (value !== undefined) found[key] = value;
  }
  if (Object.keys(found).length > 0) return keyElement(found);
  const names = `[${keys.map((key) => JSON.stringify(key)).join(' ')}]`;
  throw new KeyProblem(
    `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`,
  );
}

// Where Go prints the zero value of a key field, the published schema has it as the default.
function keyDefault(element: SchemaNode, key: string): unknown {
  const field = element.fields?.get(key);
  if (field === undefined || field.default !== undefined) return field?.default;
  if (field.pointer || field.omitEmpty) return undefined;
  if (field.node.type === 'string') return '';
  return field.node.type === 'int32' || field.node.type === 'int64' ? 0 : undefined;
}
