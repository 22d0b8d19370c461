import type { ManagedFieldsEntry } from '../../../kube/generated/types.ts';
import { FieldSet } from './field-set.ts';

/** Who owns fields: one entry of managedFields without its fields and time. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly subresource: string;
}

/** What one manager owns, in the names of one API version. */
export interface Ownership {
  readonly manager: Manager;
  readonly apiVersion: string;
  readonly fields: FieldSet;
  readonly time: string | undefined;
}

/** All owners by identifier. */
export type Owners = ReadonlyMap<string, Ownership>;

/** What tells owners apart: appliers have one entry whatever version they apply, updaters one for each version. */
export function identifierOf({ name, operation, subresource }: Manager, apiVersion: string): string {
  return JSON.stringify([name, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** Reads managedFields. Throws an Error with upstream's text when they are malformed. */
export function readOwners(entries: readonly ManagedFieldsEntry[] | undefined): Map<string, Ownership> {
  const owners = new Map<string, Ownership>();
  for (const [index, entry] of (entries ?? []).entries()) {
    const { operation, apiVersion, fieldsType, manager: name = '', subresource = '' } = entry;
    if (operation !== 'Apply' && operation !== 'Update') throw new Error('operation must be `Apply` or `Update`');
    if (!apiVersion) throw new Error('apiVersion must not be empty');
    if (!fieldsType) throw new Error(`missing fieldsType in managed fields entry ${index}`);
    if (fieldsType !== 'FieldsV1')
      throw new Error(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${index}`);
    const manager: Manager = { name, operation, subresource };
    const fields = FieldSet.parse(entry.fieldsV1 ?? {});
    owners.set(identifierOf(manager, apiVersion), { manager, apiVersion, fields, time: entry.time });
  }
  return owners;
}

/** Writes managedFields in upstream's order; undefined when nobody owns anything. */
export function writeOwners(owners: Owners): ManagedFieldsEntry[] | undefined {
  if (owners.size === 0) return undefined;
  return [...owners.values()].sort(compareOwners).map(({ manager, apiVersion, fields, time }) => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields.toFieldsV1(),
    ...(manager.subresource === '' ? {} : { subresource: manager.subresource }),
  }));
}

function compareOwners(a: Ownership, b: Ownership): number {
  return (
    compareTexts(a.manager.operation, b.manager.operation) ||
    compareTexts(a.time ?? '', b.time ?? '') ||
    compareTexts(a.manager.name, b.manager.name) ||
    compareTexts(a.apiVersion, b.apiVersion) ||
    compareTexts(a.manager.subresource, b.manager.subresource)
  );
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The manager as conflicts name it: `"kubectl" using apps/v1`. */
export function printManager({ manager, apiVersion }: Ownership): string {
  const name =
    JSON.stringify(manager.name) +
    (manager.subresource === '' ? '' : ` with subresource ${JSON.stringify(manager.subresource)}`);
  return manager.operation === 'Update' ? `${name} using ${apiVersion}` : name;
}
