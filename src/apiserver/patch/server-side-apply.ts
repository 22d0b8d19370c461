import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import type { KindSchema } from '../schema/contract.ts';
import type { ServerSideApply, ServerSideApplyRequest } from './contract.ts';
import {
  emptyObject,
  ignoredFields,
  ownerOf,
  strip,
  versionsOf,
  withOwners,
  withoutManagedFields,
} from './field-manager.ts';
import { typedProblem } from './fields/check-typed.ts';
import { type Ownership, printManager, readOwners } from './fields/managers.ts';
import { adaptOwners, applyConfig, type FieldConflict, FieldConflicts } from './fields/ownership.ts';
import { printPath } from './fields/path-element.ts';
import { unchangedSinceLastApplied, withLastApplied } from './last-applied.ts';
import { ownersAfter } from './track-update.ts';

/** Merges what is applied into an object, or throws 409 with one cause for each field that somebody else owns. */
export const serverSideApply: ServerSideApply = (request) => {
  const { applied, writer } = request;
  checkApplied(request);
  const attempt = (force: boolean): KubeObject => applyOnce(request, force);
  try {
    return withLastApplied(attempt(request.force), applied, writer);
  } catch (error) {
    if (!(error instanceof FieldConflicts)) throw error;
    const conflicts = writer.manager === 'kubectl' ? unexpected(request, error.conflicts) : error.conflicts;
    if (conflicts.length > 0) throw conflictError(conflicts);
    return withLastApplied(attempt(true), applied, writer);
  }
};

function checkApplied({ schema, applied, live }: ServerSideApplyRequest): void {
  const { group, version, kind } = schema;
  const groupVersion = group === '' ? version : `${group}/${version}`;
  const given = { apiVersion: applied.apiVersion ?? '', kind: applied.kind ?? '' };
  if (given.apiVersion !== groupVersion || given.kind !== kind)
    throw badRequest(`invalid object type: ${printKind(given.apiVersion, given.kind)}`);
  if (applied.metadata?.managedFields !== undefined && applied.metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  checkTyped('patch', applied, { schema, twins: false });
  if (live !== undefined) checkTyped('live', live, { schema, twins: true });
}

function checkTyped(
  what: 'patch' | 'live',
  object: KubeObject,
  { schema, twins }: { readonly schema: KindSchema; readonly twins: boolean },
): void {
  const problem = typedProblem(schema.node, object, twins);
  if (problem === undefined) return;
  const { namespace = '', name = '' } = object.metadata ?? {};
  const groupVersion = schema.group === '' ? schema.version : `${schema.group}/${schema.version}`;
  const type = `${namespace}/${name}; ${printKind(groupVersion, schema.kind)}`;
  throw badRequest(`failed to create typed ${what} object (${type}): ${problem}`);
}

const badRequest = (text: string): ApiStatusError => new ApiStatusError('BadRequest', text);
const printKind = (apiVersion: string, kind: string): string =>
  `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`;

function applyOnce(request: ServerSideApplyRequest, force: boolean): KubeObject {
  const { schema, live, applied, writer } = request;
  const versions = versionsOf(request);
  const current = live === undefined ? emptyObject(schema) : withoutManagedFields(live);
  const owners = adaptOwners(versions, current, ownersBefore(request, current));
  const { id, owner } = ownerOf(writer, 'Apply', versions.apiVersion);
  const application = { versions, live: current, config: applied, ignored: ignoredFields(schema, writer) };
  const result = applyConfig(application, owners, { self: owner, id, force });
  strip(owners, id);
  if (result === undefined) return withOwners(current, owners);
  const own = owners.get(id);
  if (own) owners.set(id, { ...own, time: writer.time });
  return withOwners(schema.decodeValue(result.object).object, owners);
}

// What is there before the first apply belongs to nobody in particular, but it must not be taken for the applier's.
function ownersBefore(request: ServerSideApplyRequest, current: KubeObject): ReadonlyMap<string, Ownership> {
  const { live, writer } = request;
  let owners: ReadonlyMap<string, Ownership>;
  try {
    owners = readOwners(live?.metadata?.managedFields);
  } catch (error) {
    throw badRequest(`failed to decode managed fields: ${(error as Error).message}`);
  }
  if (owners.size > 0 || live === undefined) return owners;
  const versions = versionsOf(request);
  const before = emptyObject(request.schema);
  const change = { versions, before, after: current, ignored: ignoredFields(request.schema, writer) };
  const { id, owner } = ownerOf({ ...writer, manager: 'before-first-apply' }, 'Update', versions.apiVersion);
  return ownersAfter(change, owners, { id, owner, time: writer.time });
}

function unexpected(request: ServerSideApplyRequest, conflicts: readonly FieldConflict[]): readonly FieldConflict[] {
  const expected = unchangedSinceLastApplied(request);
  return expected === undefined ? conflicts : conflicts.filter(({ path }) => !expected.has(path));
}

function conflictError(conflicts: readonly FieldConflict[]): ApiStatusError {
  const causes = conflicts.map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${printManager(owner)}`,
    field: printPath(path),
  }));
  return new ApiStatusError('Conflict', conflictMessage(conflicts), { causes });
}

function conflictMessage(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${printManager(first!.owner)}: ${printPath(first!.path)}`;
  const lines: string[] = [];
  for (const owner of new Set(conflicts.map((conflict) => conflict.owner))) {
    lines.push(`conflicts with ${printManager(owner)}:`);
    for (const conflict of conflicts) if (conflict.owner === owner) lines.push(`- ${printPath(conflict.path)}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
