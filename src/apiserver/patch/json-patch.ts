import { ApiStatusError } from '../../kube/status.ts';
import type { ApplyJsonPatch } from './contract.ts';
import { isJsonObject, jsonEquals, own, withField, withoutField } from './json-value.ts';

/** Operations of one patch at most, as upstream. */
const MAX_OPERATIONS = 10_000;
/** Bytes of JSON that `copy` operations may add up to, as upstream; a short patch could double a document for ever. */
const MAX_COPIED = 3 << 20;

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from: string;
  readonly value: unknown;
}

/** An operation cannot be applied to this document. */
class CannotApply extends Error {}

/** Applies a JSON patch (RFC 6902). Changes neither argument. */
export const applyJsonPatch: ApplyJsonPatch = (document, patch) => {
  const operations = parseOperations(patch);
  try {
    const budget = { copied: 0 };
    return operations.reduce((current, operation) => apply(current, operation, budget), document);
  } catch (error) {
    if (!(error instanceof CannotApply)) throw error;
    // The real server tells no more than this to the client.
    throw new ApiStatusError('Invalid', 'the server rejected our request due to an error in our request', {});
  }
};

function parseOperations(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) {
    const found = patch === null ? 'null' : isJsonObject(patch) ? 'object' : typeof patch;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${found} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    const text = `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`;
    throw new ApiStatusError('RequestEntityTooLarge', text);
  }
  return patch.map(parseOperation);
}

function parseOperation(entry: unknown): Operation {
  if (!isJsonObject(entry))
    throw badRequest(
      'error decoding patch: json: cannot unmarshal a value that is no object into Go value of type handlers.jsonPatchOp',
    );
  const text = (field: 'op' | 'path' | 'from'): string => {
    const value = own(entry, field) ?? '';
    if (typeof value === 'string') return value;
    const kind = typeof value === 'boolean' ? 'bool' : Array.isArray(value) ? 'array' : typeof value;
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${kind} into Go struct field jsonPatchOp.${field} of type string`,
    );
  };
  return { op: text('op'), path: text('path'), from: text('from'), value: own(entry, 'value') ?? null };
}

const badRequest = (text: string): ApiStatusError => new ApiStatusError('BadRequest', text);

function apply(document: unknown, operation: Operation, budget: { copied: number }): unknown {
  if (operation.path === '') return applyToWhole(document, operation);
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case 'add':
      return add(document, path, operation.value);
    case 'remove':
      return remove(document, path);
    case 'replace':
      return replace(document, path, operation.value);
    case 'move': {
      const from = parsePointer(operation.from);
      return add(remove(document, from), path, find(document, from));
    }
    case 'copy': {
      const value = find(document, parsePointer(operation.from));
      budget.copied += JSON.stringify(value).length;
      if (budget.copied > MAX_COPIED) throw new CannotApply('copies too much');
      return add(document, path, value);
    }
    case 'test':
      if (jsonEquals(find(document, path), operation.value)) return document;
      throw new CannotApply(`testing value ${operation.path} failed`);
    default:
      throw new CannotApply(`unexpected kind: ${operation.op}`);
  }
}

// Of the whole document, upstream's library only knows these two.
function applyToWhole(document: unknown, { op, value }: Operation): unknown {
  if (op === 'replace' && typeof value === 'object' && value !== null) return value;
  if (op === 'test' && jsonEquals(document, value)) return document;
  throw new CannotApply(`${op} of the whole document`);
}

/** The names on the way. As upstream does, what stands before the first slash is ignored. */
function parsePointer(pointer: string): readonly string[] {
  const names = pointer.split('/').slice(1);
  if (names.length === 0) throw new CannotApply(`bad path ${pointer}`);
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function child(holder: unknown, name: string): unknown {
  if (Array.isArray(holder)) return holder[existingIndex(holder, name)];
  if (!isJsonObject(holder) || !Object.hasOwn(holder, name)) throw new CannotApply(`nothing at ${name}`);
  return holder[name];
}

// The last name may lead nowhere in an object, which reads as null: upstream's library goes beyond the RFC here.
function find(document: unknown, path: readonly string[]): unknown {
  const holder = path.slice(0, -1).reduce(child, document);
  const last = path.at(-1)!;
  return isJsonObject(holder) ? (own(holder, last) ?? null) : child(holder, last);
}

/** Rebuilds the containers on the way to the last one, which `change` rebuilds. */
function changed(
  document: unknown,
  path: readonly string[],
  change: (holder: unknown, last: string) => unknown,
): unknown {
  const [name, ...rest] = path;
  if (rest.length === 0) return change(document, name!);
  const inner = changed(child(document, name!), rest, change);
  if (Array.isArray(document)) return document.with(existingIndex(document, name!), inner);
  return withField(document as Record<string, unknown>, name!, inner);
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  return changed(document, path, (holder, last) => {
    if (Array.isArray(holder)) return holder.toSpliced(insertionIndex(holder, last), 0, value);
    if (isJsonObject(holder)) return withField(holder, last, value);
    throw new CannotApply('the parent is no container');
  });
}

function remove(document: unknown, path: readonly string[]): unknown {
  return changed(document, path, (holder, last) => {
    if (Array.isArray(holder)) return holder.toSpliced(existingIndex(holder, last), 1);
    child(holder, last);
    return withoutField(holder as Record<string, unknown>, last);
  });
}

function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  return changed(document, path, (holder, last) => {
    if (Array.isArray(holder)) return holder.with(existingIndex(holder, last), value);
    if (isJsonObject(holder)) return withField(holder, last, value);
    throw new CannotApply('the parent is no container');
  });
}

function existingIndex(list: readonly unknown[], name: string): number {
  const index = indexOf(list, name);
  if (index < 0 || index >= list.length) throw new CannotApply(`index ${name} is out of bounds`);
  return index;
}

function insertionIndex(list: readonly unknown[], name: string): number {
  if (name === '-') return list.length;
  const index = indexOf(list, name);
  // Counting from the end, -1 is behind the last element here.
  const at = Number(name) < 0 ? index + 1 : index;
  if (at < 0 || at > list.length) throw new CannotApply(`index ${name} is out of bounds`);
  return at;
}

// Negative indexes count from the end, which upstream's library allows beyond the RFC.
function indexOf(list: readonly unknown[], name: string): number {
  if (!/^[+-]?[0-9]{1,9}$/.test(name)) throw new CannotApply(`${name} is no index`);
  const index = Number(name);
  return index < 0 ? list.length + index : index;
}
