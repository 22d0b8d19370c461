import type { KubeObject } from '../../kube/resources.ts';
import type { KindSchema } from '../schema/contract.ts';
import type { FieldWriter, ManagedChange } from './contract.ts';
import { FieldSet } from './fields/field-set.ts';
import { identifierOf, type Manager, type Owners, type Ownership, writeOwners } from './fields/managers.ts';
import type { Versions } from './fields/ownership.ts';
import { fieldElement } from './fields/path-element.ts';

const metadata = fieldElement('metadata');
const unowned = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
];

/** What nobody owns: the object's identity and what only the server writes. */
const strippedFields = FieldSet.of(
  [fieldElement('apiVersion')],
  [fieldElement('kind')],
  [metadata],
  ...unowned.map((name) => [metadata, fieldElement(name)]),
);

const status = FieldSet.of([fieldElement('status')]);
const spec = FieldSet.of([fieldElement('spec')]);

/** Fields that a write to this path cannot change. */
export function ignoredFields(schema: KindSchema, { subresource }: FieldWriter): FieldSet {
  if (!schema.hasStatus) return FieldSet.empty;
  if (subresource === '') return status;
  return subresource === 'status' ? spec : FieldSet.empty;
}

/** The object's versions as ownership asks for them. */
export function versionsOf({ schema, convert }: ManagedChange): Versions {
  const { group, version, node } = schema;
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    node,
    ...(convert ? { convert: (object, apiVersion) => convert(object as KubeObject, apiVersion) } : {}),
  };
}

/** The writer as an owner who owns nothing yet, and the identifier of that owner. */
export function ownerOf(
  { manager, subresource }: FieldWriter,
  operation: Manager['operation'],
  apiVersion: string,
): { readonly id: string; readonly owner: Ownership } {
  const identity: Manager = { name: manager === '' ? 'unknown' : manager, operation, subresource };
  return {
    id: identifierOf(identity, apiVersion),
    owner: { manager: identity, apiVersion, fields: FieldSet.empty, time: undefined },
  };
}

/** Takes from an owner what nobody may own. Changes `owners`. */
export function strip(owners: Map<string, Ownership>, id: string): void {
  const owner = owners.get(id);
  if (owner === undefined) return;
  const fields = owner.fields.difference(strippedFields);
  if (fields.isEmpty) owners.delete(id);
  else owners.set(id, { ...owner, fields });
}

/** The object with the managedFields of these owners. */
export function withOwners<T extends KubeObject>(object: T, owners: Owners): T {
  const { managedFields: _old, ...rest } = object.metadata ?? {};
  const managedFields = writeOwners(owners);
  return { ...object, metadata: managedFields === undefined ? rest : { ...rest, managedFields } };
}

/** The object without managedFields, as it is compared. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _dropped, ...rest } = object.metadata;
  return { ...object, metadata: rest };
}

const emptyObjects = new WeakMap<KindSchema, KubeObject>();

/** What a kind's object is before anything is said of it: the fields that Go prints for nothing are owned by nobody. */
export function emptyObject(schema: KindSchema): KubeObject {
  let object = emptyObjects.get(schema);
  if (object === undefined) {
    object = schema.decodeValue({}).object;
    emptyObjects.set(schema, object);
  }
  return object;
}
