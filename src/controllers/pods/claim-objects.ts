import type { KubeClient } from '../../kube/client.ts';
import type { LabelSelector, OwnerReference } from '../../kube/generated/types.ts';
import { labelRequirementsOf, matchesRequirements } from '../../kube/label-selector.ts';
import { controllerOf, controllerReferenceTo } from '../../kube/owner-references.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';

export interface Claim<T extends KubeObject> {
  readonly mine: readonly T[];
  /** Match the selector and belong to nobody: to be adopted. */
  readonly orphans: readonly T[];
  /** Mine by reference, but no longer by label: to be released. */
  readonly strangers: readonly T[];
}

/** Sorts the objects that an owner may have a say in. An owner that is being deleted adopts and releases nothing. */
export function sortClaims<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelSelector | undefined,
  objects: readonly T[],
): Claim<T> {
  const mine: T[] = [];
  const orphans: T[] = [];
  const strangers: T[] = [];
  const ownerIsGoing = owner.metadata?.deletionTimestamp !== undefined;
  const requirements = selector === undefined ? undefined : labelRequirementsOf(selector);
  for (const object of objects) {
    const controller = controllerOf(object);
    const matches = requirements !== undefined && matchesRequirements(requirements, object.metadata?.labels);
    if (controller?.uid === owner.metadata?.uid) {
      if (matches || ownerIsGoing) mine.push(object);
      else strangers.push(object);
    } else if (controller === undefined && matches && !ownerIsGoing && !object.metadata?.deletionTimestamp) {
      orphans.push(object);
    }
  }
  return { mine, orphans, strangers };
}

export interface ClaimWriter {
  readonly client: KubeClient;
  readonly type: ResourceType;
  readonly ownerType: ResourceType;
  readonly owner: KubeObject;
}

/** Adopts orphans and releases strangers; resolves with all that belongs to the owner then. */
export async function carryOutClaim<T extends KubeObject>(writer: ClaimWriter, claim: Claim<T>): Promise<readonly T[]> {
  if (claim.orphans.length + claim.strangers.length === 0) return claim.mine;
  const reference = controllerReferenceTo(writer.ownerType, writer.owner);
  // The cache may be old: an owner that is being deleted by now must not adopt what its deletion would take along.
  const fresh = claim.orphans.length === 0 ? undefined : await freshOwner(writer);
  const adopted =
    fresh === undefined ? [] : await Promise.all(claim.orphans.map((orphan) => adopt(writer, orphan, reference)));
  await Promise.all(claim.strangers.map((stranger) => release(writer, stranger)));
  return [...claim.mine, ...adopted.filter((object) => object !== undefined)];
}

async function freshOwner({ client, ownerType, owner }: ClaimWriter): Promise<KubeObject | undefined> {
  const { namespace, name = '', uid } = owner.metadata ?? {};
  const fresh = await client.get(ownerType, { namespace, name });
  return fresh.metadata?.uid === uid && fresh.metadata?.deletionTimestamp === undefined ? fresh : undefined;
}

function adopt<T extends KubeObject>(
  writer: ClaimWriter,
  object: T,
  reference: OwnerReference,
): Promise<T | undefined> {
  return writeReferences(writer, object, [...(object.metadata?.ownerReferences ?? []), reference]);
}

function release<T extends KubeObject>(writer: ClaimWriter, object: T): Promise<T | undefined> {
  const uid = writer.owner.metadata?.uid;
  const rest = (object.metadata?.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
  return writeReferences(writer, object, rest);
}

async function writeReferences<T extends KubeObject>(
  { client, type }: ClaimWriter,
  object: T,
  ownerReferences: readonly OwnerReference[],
): Promise<T | undefined> {
  const { namespace, name = '', uid, resourceVersion } = object.metadata ?? {};
  const body = { metadata: { uid, resourceVersion, ownerReferences } };
  try {
    return (await client.patch(type, { namespace, name }, { type: 'merge', body })) as T;
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
