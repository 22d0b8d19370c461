import type { ManagedFieldsEntry, ObjectMeta } from '../../kube/generated/types.ts';
import { apiVersionOf, type KubeObject } from '../../kube/resources.ts';
import { type KeyValue, StoreConflictError } from '../../store/store.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from '../validation/object-meta.ts';
import { type ApiObject, sameValue, withMetadata } from './api-object.ts';
import { commitWrite, type PlannedWrite } from './commit-write.ts';
import {
  asServed,
  asStored,
  checkObjectNamespace,
  createObject,
  StoredResult,
  type WriteResult,
} from './create-object.ts';
import { badRequest, conflict, invalidObject, methodNotSupported, notFound } from './errors.ts';
import { type Machinery, type RequestContext, strategyContext } from './machinery.ts';
import { managedChange } from './managed-change.ts';
import { objectKey } from './object-keys.ts';
import type { ServedResource } from './served-resource.ts';
import { servedObject, storedObject } from './stored-object.ts';
import type { UpdateStrategy } from './strategy.ts';

/** The object as the client wants it, in the version of the resource. */
export interface WantedObject {
  readonly object: KubeObject;
  /** True when managedFields are already those of the result (server-side apply). */
  readonly tracked: boolean;
}

export interface UpdateRequest {
  readonly resource: ServedResource;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly context: RequestContext;
  /** Called with the newest version, again when another write came between. May throw ApiStatusError. */
  readonly want: (live: KubeObject | undefined) => WantedObject;
  /** Creates what is not there although the kind does not do so on PUT (server-side apply). */
  readonly createMissing?: boolean;
}

/** Changes an object by PUT, PATCH or in process. Rejects with ApiStatusError as the real server does. */
export async function updateObject(machinery: Machinery, request: UpdateRequest): Promise<WriteResult> {
  const { resource, namespace, name, context } = request;
  const key = objectKey(resource.stored.prefix, resource.type.namespaced ? namespace : undefined, name);
  const wait = machinery.store.barrier();
  if (wait) await wait;
  const { load } = resource.stored.strategy;
  if (load) await load();
  for (;;) {
    const live = machinery.store.get(key);
    if (!live) return createMissing(machinery, request);
    const planned = planUpdate(machinery, request, key, live);
    if (planned === undefined) return new StoredResult(live, resource, false);
    if (context.dryRun) return { entry: undefined, object: asServed(resource, planned.answer), created: false };
    try {
      const entry = await commitWrite(machinery, planned.write);
      return entry
        ? new StoredResult(entry, resource, false)
        : { entry, object: asServed(resource, planned.answer), created: false };
    } catch (error) {
      // Somebody else wrote in between: decide again on what is there now. A stale resourceVersion ends it with 409.
      if (!(error instanceof StoreConflictError)) throw error;
    }
  }
}

interface PlannedUpdate {
  readonly write: PlannedWrite;
  /** What the client is told: the new object also when writing it ends in its deletion. */
  readonly answer: KubeObject;
}

async function createMissing(machinery: Machinery, request: UpdateRequest): Promise<WriteResult> {
  const { resource, namespace, name, subresource, context, want } = request;
  const allowed = subresource === '' && (request.createMissing || resource.stored.strategy.createOnUpdate);
  if (!allowed) throw notFound(resource.type, name);
  context.authorizeCreate?.();
  const { object, tracked } = want(undefined);
  checkName(name, object);
  const { uid } = object.metadata ?? {};
  if (uid)
    throw conflict(resource.type, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: `);
  return createObject(machinery, { resource, namespace, object: withMetadata(object, { name }), context, tracked });
}

/** Undefined when the update changes nothing. */
function planUpdate(
  machinery: Machinery,
  request: UpdateRequest,
  key: string,
  entry: KeyValue,
): PlannedUpdate | undefined {
  const { resource, context } = request;
  const { stored } = resource;
  const live: ApiObject = storedObject(entry);
  const strategy = updateStrategy(request);
  const { object: wanted, tracked } = request.want(servedObject(entry, resource));
  checkPreconditions(request, wanted, live);
  const kept = keptMetadata(wanted.metadata ?? {}, live.metadata ?? {});
  const defaulted = resource.schema.applyDefaults(withMetadata(withTypes(resource, wanted), kept));
  const owned = tracked ? defaulted : track(machinery, request, defaulted, entry);
  const cx = strategyContext(machinery, context);
  const object = strategy.prepare(asStored(resource, owned), live, cx);
  if (sameButForTimes(object, live)) return undefined;
  const causes = [
    ...validateObjectMeta(object.metadata ?? {}, { namespaced: stored.type.namespaced, name: () => [] }),
    ...validateObjectMetaUpdate(object.metadata ?? {}, live.metadata ?? {}),
    ...(strategy.validate?.(object, live, cx) ?? []),
    ...resource.schema.validate(asServed(resource, object), servedObject(entry, resource), context.warn),
  ];
  if (causes.length > 0) throw invalidObject(resource.schema, request.name, causes);
  for (const warning of strategy.warnings?.(object, live) ?? []) context.warn(warning);
  const lease = entry.lease;
  const gone = endsDeletion(request, object);
  return {
    write: { kind: stored, key, live: entry, liveObject: live, object: gone ? undefined : object, lease },
    answer: object,
  };
}

function updateStrategy({ resource, subresource }: UpdateRequest): UpdateStrategy {
  const { strategy } = resource.stored;
  // A Scale is the main object seen through one number.
  const isMain = subresource === '' || subresource === 'scale';
  const found = isMain ? strategy.update : strategy.subresources[subresource];
  if (!found) throw methodNotSupported(resource.type, 'update');
  return found;
}

function checkName(name: string, object: KubeObject): void {
  const given = object.metadata?.name;
  if (given === undefined || given === '')
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (given !== name) {
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
  }
}

function checkPreconditions({ resource, namespace, name }: UpdateRequest, wanted: KubeObject, live: ApiObject): void {
  checkObjectNamespace(resource, namespace, wanted);
  checkName(name, wanted);
  const { uid, resourceVersion } = wanted.metadata ?? {};
  if (uid && uid !== live.metadata?.uid) {
    const text = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata?.uid}`;
    throw conflict(resource.type, name, text);
  }
  if (!resourceVersion || resourceVersion === '0') {
    if (resource.stored.strategy.unconditionalUpdate) return;
    const cause = {
      reason: 'FieldValueInvalid',
      field: 'metadata.resourceVersion',
      message: 'Invalid value: 0: must be specified for an update',
    };
    throw invalidObject({ group: resource.type.group, kind: resource.type.resource }, name, [cause]);
  }
  if (resourceVersion !== live.metadata?.resourceVersion) throw conflict(resource.type, name);
}

function withTypes({ type }: ServedResource, object: KubeObject): KubeObject {
  return { ...object, kind: type.kind, apiVersion: apiVersionOf(type) };
}

// What no update changes: the server's own metadata.
function keptMetadata(given: ObjectMeta, live: ObjectMeta): Partial<ObjectMeta> {
  return {
    namespace: live.namespace,
    uid: live.uid,
    generation: live.generation,
    creationTimestamp: live.creationTimestamp,
    deletionTimestamp: live.deletionTimestamp,
    deletionGracePeriodSeconds: given.deletionGracePeriodSeconds ?? live.deletionGracePeriodSeconds,
    resourceVersion: live.resourceVersion,
    selfLink: undefined,
  };
}

function track(machinery: Machinery, request: UpdateRequest, updated: KubeObject, entry: KeyValue): KubeObject {
  const { resource, subresource, context } = request;
  const change = managedChange(machinery, resource, subresource, context);
  return machinery.patches.trackUpdate({ ...change, live: servedObject(entry, resource), updated });
}

// managedFields that differ only in their times are no change, or every idle apply would write.
function sameButForTimes(object: ApiObject, live: ApiObject): boolean {
  const { managedFields, ...metadata } = object.metadata ?? {};
  const { managedFields: liveFields, ...liveMetadata } = live.metadata ?? {};
  return (
    sameValue(metadata, liveMetadata) &&
    sameValue({ ...object, metadata: undefined }, { ...live, metadata: undefined }) &&
    sameValue(withoutTimes(managedFields), withoutTimes(liveFields))
  );
}

function withoutTimes(entries: readonly ManagedFieldsEntry[] | undefined): unknown {
  return entries?.map((entry) => ({ ...entry, time: undefined })) ?? [];
}

// The last finalizer of an object that is being deleted went away: the update deletes it.
function endsDeletion({ resource }: UpdateRequest, object: ApiObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = object.metadata ?? {};
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false;
  if (deletionGracePeriodSeconds !== undefined && deletionGracePeriodSeconds !== 0) return false;
  return !resource.stored.strategy.holdsDeletion?.(object);
}
