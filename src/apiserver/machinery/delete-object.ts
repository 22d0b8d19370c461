import type { DeleteOptions, ObjectMeta } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { type KeyValue, StoreConflictError } from '../../store/store.ts';
import { type ApiObject, sameValue, withMetadata } from './api-object.ts';
import { commitWrite, type PlannedWrite } from './commit-write.ts';
import { asServed } from './create-object.ts';
import { badRequest, conflict, invalidObject, notFound } from './errors.ts';
import { type Machinery, printTime, type RequestContext, strategyContext } from './machinery.ts';
import { objectKey } from './object-keys.ts';
import type { ServedResource } from './served-resource.ts';
import { storedObject } from './stored-object.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

export interface DeleteRequest {
  readonly resource: ServedResource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly options: DeleteOptions;
  readonly context: RequestContext;
}

/** How a delete went. */
export interface DeleteResult {
  /** False when the object waits for its grace period or finalizers. */
  readonly deleted: boolean;
  /** The object as it was last, or as it waits, in the version of the resource. */
  readonly object: KubeObject;
}

type Step =
  /** Nothing more to do: it is being deleted already. */
  { readonly type: 'pending' } | { readonly type: 'update'; readonly object: ApiObject } | { readonly type: 'delete' };

/** Deletes an object or marks it for deletion. Rejects with ApiStatusError as the real server does. */
export async function deleteObject(machinery: Machinery, request: DeleteRequest): Promise<DeleteResult> {
  const { resource, namespace, name, context } = request;
  const { stored } = resource;
  validateDeleteOptions(request.options);
  const key = objectKey(stored.prefix, stored.type.namespaced ? namespace : undefined, name);
  const wait = machinery.store.barrier();
  if (wait) await wait;
  for (;;) {
    const entry = machinery.store.get(key);
    if (!entry) throw notFound(resource.type, name);
    const live: ApiObject = storedObject(entry);
    checkPreconditions(request, live);
    const step = decide(machinery, request, live);
    const result = (object: KubeObject) => ({ deleted: step.type === 'delete', object: asServed(resource, object) });
    // What waits for its finalizers already is not written again: whoever watches would never come to rest.
    if (step.type === 'pending' || (step.type === 'update' && sameValue(step.object, live))) return result(live);
    const object = step.type === 'update' ? step.object : undefined;
    if (context.dryRun) return result(object ?? live);
    try {
      return result(await write(machinery, { kind: stored, key, live: entry, liveObject: live, object }, entry));
    } catch (error) {
      if (!(error instanceof StoreConflictError)) throw error;
    }
  }
}

async function write(machinery: Machinery, planned: PlannedWrite, entry: KeyValue): Promise<KubeObject> {
  const after = await commitWrite(machinery, { ...planned, lease: planned.object && entry.lease });
  return storedObject(after ?? entry);
}

function decide(machinery: Machinery, { resource, options, context }: DeleteRequest, live: ApiObject): Step {
  const { strategy } = resource.stored;
  const changed = strategy.beforeDelete?.(live, strategyContext(machinery, context));
  if (changed) return changed === live ? { type: 'pending' } : { type: 'update', object: changed };
  const now = machinery.clock.now();
  const grace = strategy.gracePeriod && graceful(live, options, strategy.gracePeriod, now);
  if (grace === 'pending') return { type: 'pending' };
  const finalizers = strategy.garbageCollection
    ? finalizersAfter(live.metadata ?? {}, options)
    : (live.metadata?.finalizers ?? []);
  const held = finalizers.length > 0;
  if (grace && (grace.seconds > 0 || held)) {
    return { type: 'update', object: withMetadata(grace.object, { finalizers: held ? finalizers : undefined }) };
  }
  if (!held) return { type: 'delete' };
  return { type: 'update', object: markAsDeleting(withMetadata(live, { finalizers }), now) };
}

interface Grace {
  readonly object: ApiObject;
  readonly seconds: number;
}

// Kinds that are deleted gracefully: the first delete sets the time, later ones may only shorten it.
function graceful(
  live: ApiObject,
  { gracePeriodSeconds }: DeleteOptions,
  period: (object: ApiObject, requested: number | undefined) => number,
  now: number,
): Grace | 'pending' | undefined {
  const requested = gracePeriodSeconds === undefined ? undefined : gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = live.metadata ?? {};
  if (deletionTimestamp === undefined) {
    const seconds = period(live, requested);
    const fields = {
      deletionTimestamp: printTime(now + seconds * 1000),
      deletionGracePeriodSeconds: seconds,
      ...(generation ? { generation: generation + 1 } : {}),
    };
    return { object: withMetadata(live, fields), seconds };
  }
  if (!deletionGracePeriodSeconds) return undefined;
  if (requested === undefined || requested >= deletionGracePeriodSeconds) return 'pending';
  const shortened = Date.parse(deletionTimestamp) + (requested - deletionGracePeriodSeconds) * 1000;
  const seconds = shortened < now && requested !== 0 ? 1 : requested;
  const fields = { deletionTimestamp: printTime(Math.max(shortened, now)), deletionGracePeriodSeconds: seconds };
  return { object: withMetadata(live, fields), seconds };
}

function finalizersAfter(meta: ObjectMeta, options: DeleteOptions): readonly string[] {
  const finalizers = meta.finalizers ?? [];
  const rest = finalizers.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  const policy =
    options.orphanDependents !== undefined ? orphanPolicy(options.orphanDependents) : options.propagationPolicy;
  if (policy === 'Orphan') return [...rest, ORPHAN];
  if (policy === 'Foreground') return [...rest, FOREGROUND];
  if (policy === 'Background') return rest;
  return finalizers;
}

const orphanPolicy = (orphan: boolean) => (orphan ? 'Orphan' : 'Background');

function markAsDeleting(object: ApiObject, now: number): ApiObject {
  const { deletionTimestamp, generation } = object.metadata ?? {};
  const first = deletionTimestamp === undefined;
  return withMetadata(object, {
    ...(first && generation ? { generation: generation + 1 } : {}),
    deletionTimestamp: first || Date.parse(deletionTimestamp) > now ? printTime(now) : deletionTimestamp,
    deletionGracePeriodSeconds: 0,
  });
}

function checkPreconditions({ resource, name, options }: DeleteRequest, { metadata }: ApiObject): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const type = { group: resource.type.group, resource: resource.type.kind };
  if (uid !== undefined && uid !== metadata?.uid) {
    const text = `the UID in the precondition (${uid}) does not match the UID in record (${metadata?.uid}). The object might have been deleted and then recreated`;
    throw conflict(type, name, text);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata?.resourceVersion) {
    const text = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata?.resourceVersion}). The object might have been modified`;
    throw conflict(type, name, text);
  }
}

function validateDeleteOptions({ propagationPolicy, orphanDependents, dryRun }: DeleteOptions): void {
  const kind = { group: 'meta.k8s.io', kind: 'DeleteOptions' };
  const causes = [];
  if (propagationPolicy !== undefined && orphanDependents !== undefined) {
    const message = `Invalid value: ${JSON.stringify(propagationPolicy)}: orphanDependents and deletionPropagation cannot be both set`;
    causes.push({ reason: 'FieldValueInvalid', field: 'propagationPolicy', message });
  }
  if (propagationPolicy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(propagationPolicy)) {
    const message = `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: "Foreground", "Background", "Orphan", "nil"`;
    causes.push({ reason: 'FieldValueNotSupported', field: 'propagationPolicy', message });
  }
  if (causes.length > 0) throw invalidObject(kind, '', causes);
  if (dryRun?.some((value) => value !== 'All')) throw badRequest('dryRun must be All');
}
