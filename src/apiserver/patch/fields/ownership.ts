import type { SchemaNode } from '../../schema/contract.ts';
import { jsonEquals } from '../json-value.ts';
import { adaptToSchema, withNamedFields } from './adapt-to-schema.ts';
import { type Comparison, compareValues } from './compare-values.ts';
import { FieldSet } from './field-set.ts';
import type { Ownership } from './managers.ts';
import { mergeValues } from './merge-values.ts';
import type { PathElement } from './path-element.ts';
import { removeFields } from './remove-fields.ts';
import { toFieldSet } from './to-field-set.ts';

/** An object and how one API version sees it. */
export interface Versions {
  /** Version of the request. */
  readonly apiVersion: string;
  readonly node: SchemaNode;
  /** The object in another version with that version's schema; undefined when there is no such version. */
  readonly convert?: (
    object: unknown,
    apiVersion: string,
  ) => { readonly object: unknown; readonly node: SchemaNode } | undefined;
}

/** A field that is owned by somebody else. */
export interface FieldConflict {
  readonly owner: Ownership;
  readonly path: readonly PathElement[];
}

/** Somebody else owns what is to be changed, and the change was not forced. */
export class FieldConflicts extends Error {
  readonly conflicts: readonly FieldConflict[];
  constructor(conflicts: readonly FieldConflict[]) {
    super(`${conflicts.length} conflicts`);
    this.conflicts = conflicts;
  }
}

type MutableOwners = Map<string, Ownership>;

/** One change of an object. */
export interface Change {
  readonly versions: Versions;
  readonly before: unknown;
  readonly after: unknown;
  /** Fields that the request cannot change whatever it says: nobody comes to own them by it. */
  readonly ignored: FieldSet;
}

function seenFrom({ convert, apiVersion, node }: Versions, object: unknown, version: string) {
  return version === apiVersion ? { object, node } : convert?.(object, version);
}

/** Owners as the present schemas see them; those of versions that are gone are left out. */
export function adaptOwners(versions: Versions, live: unknown, owners: Iterable<[string, Ownership]>): MutableOwners {
  const adapted: MutableOwners = new Map();
  for (const [id, owner] of owners) {
    const view = seenFrom(versions, live, owner.apiVersion);
    if (view) adapted.set(id, { ...owner, fields: adaptToSchema(view.node, owner.fields) });
  }
  return adapted;
}

/** Takes from all owners but `self` what the change takes from them. Throws FieldConflicts unless forced. Changes `owners`. */
export function takeFields(
  change: Change,
  owners: MutableOwners,
  options: { readonly self: string; readonly force: boolean },
): Comparison {
  const own = filtered(compareValues(change.versions.node, change.before, change.after), change.ignored);
  const comparisons = new Map<string, Comparison>([[change.versions.apiVersion, own]]);
  const taken: [string, FieldSet][] = [];
  const conflicts: FieldConflict[] = [];
  for (const [id, owner] of [...owners].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (id === options.self) continue;
    const comparison = comparisons.get(owner.apiVersion) ?? compareAt(change, owner.apiVersion);
    if (comparison === undefined) {
      owners.delete(id);
      continue;
    }
    comparisons.set(owner.apiVersion, comparison);
    const contested = owner.fields.intersection(comparison.modified.union(comparison.added));
    for (const path of contested.paths()) conflicts.push({ owner, path });
    taken.push([id, contested.union(comparison.removed)]);
  }
  if (!options.force && conflicts.length > 0) throw new FieldConflicts(conflicts);
  for (const [id, fields] of taken) lose(owners, id, fields);
  for (const [id, owner] of [...owners]) if (owner.fields.isEmpty) owners.delete(id);
  return own;
}

function lose(owners: MutableOwners, id: string, fields: FieldSet): void {
  const owner = owners.get(id)!;
  if (!fields.isEmpty) owners.set(id, { ...owner, fields: owner.fields.difference(fields) });
}

function compareAt({ versions, before, after, ignored }: Change, version: string): Comparison | undefined {
  const [old, current] = [seenFrom(versions, before, version), seenFrom(versions, after, version)];
  return old && current && filtered(compareValues(current.node, old.object, current.object), ignored);
}

function filtered({ added, modified, removed }: Comparison, ignored: FieldSet): Comparison {
  return {
    added: added.recursiveDifference(ignored),
    modified: modified.recursiveDifference(ignored),
    removed: removed.recursiveDifference(ignored),
  };
}

/** What applying does to an object: merges, and removes what the applier no longer says and nobody else owns. */
export interface Application {
  readonly versions: Versions;
  readonly live: unknown;
  readonly config: unknown;
  readonly ignored: FieldSet;
}

/** Applies `config` for `self`, changing `owners`. Undefined when the object stays as it is. Throws FieldConflicts. */
export function applyConfig(
  { versions, live, config, ignored }: Application,
  owners: MutableOwners,
  options: { readonly self: Ownership; readonly id: string; readonly force: boolean },
): { readonly object: unknown } | undefined {
  const merged = mergeValues(versions.node, live, config);
  const last = owners.get(options.id);
  const fields = toFieldSet(versions.node, config).recursiveDifference(ignored);
  owners.set(options.id, { ...options.self, fields, time: last?.time });
  const after = last === undefined || last.fields.isEmpty ? merged : prune(versions, merged, { owners, last });
  takeFields({ versions, before: live, after, ignored }, owners, { self: options.id, force: options.force });
  return jsonEquals(live, after) ? undefined : { object: after };
}

interface Pruning {
  readonly owners: ReadonlyMap<string, Ownership>;
  /** What the applier owned before. */
  readonly last: Ownership;
}

function prune(versions: Versions, merged: unknown, { owners, last }: Pruning): unknown {
  const view = seenFrom(versions, merged, last.apiVersion);
  if (view === undefined) return merged;
  const { node, object } = view;
  const pruned = removeFields(node, object, withNamedFields(node, last.fields));
  const kept = addBackOwned({ node, merged: object, pruned }, ownedAt(owners, last.apiVersion));
  const result = addBackDangling({ node, merged: object, pruned: kept }, last.fields);
  // Appliers that change their version have nobody convert back for them: the merged object is what they get.
  return last.apiVersion === versions.apiVersion ? result : merged;
}

function ownedAt(owners: ReadonlyMap<string, Ownership>, apiVersion: string): FieldSet {
  let owned = FieldSet.empty;
  for (const owner of owners.values()) if (owner.apiVersion === apiVersion) owned = owned.union(owner.fields);
  return owned;
}

interface Pruned {
  readonly node: SchemaNode;
  readonly merged: unknown;
  readonly pruned: unknown;
}

// What somebody owns stays, although it went with what was removed above it.
function addBackOwned({ node, merged, pruned }: Pruned, owned: FieldSet): unknown {
  const [all, left] = [toFieldSet(node, merged), toFieldSet(node, pruned)].map((set) => withNamedFields(node, set));
  return removeFields(node, merged, all!.difference(left!.union(withNamedFields(node, owned))));
}

// What nobody owned, the applier included, stays as well.
function addBackDangling({ node, merged, pruned }: Pruned, last: FieldSet): unknown {
  const [all, left] = [toFieldSet(node, merged), toFieldSet(node, pruned)].map((set) => withNamedFields(node, set));
  return removeFields(node, merged, all!.difference(left!).intersection(withNamedFields(node, last)));
}
