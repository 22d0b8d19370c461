import type { ManagedFieldsEntry } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import type { TrackUpdate } from './contract.ts';
import {
  emptyObject,
  ignoredFields,
  ownerOf,
  strip,
  versionsOf,
  withOwners,
  withoutManagedFields,
} from './field-manager.ts';
import { KeyProblem } from './fields/atom.ts';
import type { FieldSet } from './fields/field-set.ts';
import { identifierOf, type Ownership, readOwners } from './fields/managers.ts';
import { adaptOwners, type Change, takeFields } from './fields/ownership.ts';

/** Updaters beyond this many are merged into one called `ancient-changes`. */
const MAX_UPDATERS = 10;

/** Gives an updated object its managedFields: what the update changed belongs to its writer from now on. */
export const trackUpdate: TrackUpdate = (request) => {
  const { live, updated, writer } = request;
  const owners = startingOwners(live, updated, writer.subresource !== '');
  const plain = withoutManagedFields(updated);
  // An object whose managedFields were cleared is not tracked again until somebody applies to it.
  if (owners.size === 0 && live !== undefined) return withOwners(plain, owners);
  const versions = versionsOf(request);
  const change: Change = {
    versions,
    before: live === undefined ? emptyObject(request.schema) : withoutManagedFields(live),
    after: plain,
    ignored: ignoredFields(request.schema, writer),
  };
  const { id, owner } = ownerOf(writer, 'Update', versions.apiVersion);
  try {
    return withOwners(plain, capUpdaters(ownersAfter(change, owners, { id, owner, time: writer.time })));
  } catch (error) {
    // List items without their keys cannot be owned: upstream forgets all owners then rather than refuse the write.
    if (error instanceof KeyProblem) return plain;
    throw error;
  }
};

interface Updater {
  readonly id: string;
  readonly owner: Ownership;
  readonly time: string;
}

/** Owners after a change that `updater` made. */
export function ownersAfter(
  change: Change,
  before: ReadonlyMap<string, Ownership>,
  updater: Updater,
): Map<string, Ownership> {
  const owners = adaptOwners(change.versions, change.before, before);
  const comparison = takeFields(change, owners, { self: '', force: true });
  const gained: FieldSet = comparison.modified.union(comparison.added);
  const current = new Map([['', { ...updater.owner, fields: gained }]]);
  strip(current, '');
  const taken = current.get('');
  if (taken === undefined) return owners;
  const previous = owners.get(updater.id);
  const fields = previous ? taken.fields.union(previous.fields) : taken.fields;
  return owners.set(updater.id, { ...taken, fields, time: updater.time });
}

// Clients may set managedFields, and clear them by a single empty entry or an empty list; not through a subresource.
function startingOwners(
  live: KubeObject | undefined,
  updated: KubeObject,
  isSubresource: boolean,
): ReadonlyMap<string, Ownership> {
  const given = isSubresource ? undefined : updated.metadata?.managedFields;
  if (given !== undefined && isReset(given)) return new Map();
  const owners = readOrNone(given);
  return owners.size > 0 ? owners : readOrNone(live?.metadata?.managedFields);
}

function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0]!).length === 0);
}

function readOrNone(entries: readonly ManagedFieldsEntry[] | undefined): ReadonlyMap<string, Ownership> {
  try {
    return readOwners(entries);
  } catch {
    // Upstream treats what it cannot read as nothing: a client's garbage must not make the object unwritable.
    return new Map();
  }
}

// Of each version the oldest are merged until few enough are left.
function capUpdaters(owners: Map<string, Ownership>): Map<string, Ownership> {
  const updaters = [...owners].filter(([, { manager }]) => manager.operation === 'Update');
  let excess = updaters.length - MAX_UPDATERS;
  if (excess <= 0) return owners;
  updaters.sort(([a, left], [b, right]) => compare(left.time ?? '', right.time ?? '') || compare(a, b));
  const oldest = new Map<string, string>();
  for (const [id, updater] of updaters) {
    if (excess <= 0) break;
    const first = oldest.get(updater.apiVersion);
    if (first === undefined) {
      oldest.set(updater.apiVersion, id);
      continue;
    }
    mergeAncient(owners, { first, id, updater });
    excess--;
  }
  return owners;
}

interface Merge {
  readonly first: string;
  readonly id: string;
  readonly updater: Ownership;
}

function mergeAncient(owners: Map<string, Ownership>, { first, id, updater }: Merge): void {
  const manager = { name: 'ancient-changes', operation: 'Update', subresource: '' } as const;
  const bucket = identifierOf(manager, updater.apiVersion);
  const before = owners.get(bucket) ?? owners.get(first)!;
  if (!owners.has(bucket)) owners.delete(first);
  owners.delete(id);
  owners.set(bucket, { ...updater, manager, fields: updater.fields.union(before.fields) });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
