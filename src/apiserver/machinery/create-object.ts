import type { Namespace, ObjectMeta } from '../../kube/generated/types.ts';
import { type KubeObject, resources } from '../../kube/resources.ts';
import { type KeyValue, StoreConflictError } from '../../store/store.ts';
import { validateObjectMeta } from '../validation/object-meta.ts';
import { type ApiObject, withFields, withMetadata } from './api-object.ts';
import { commitWrite, type PlannedWrite } from './commit-write.ts';
import { alreadyExists, badRequest, forbiddenError, invalidObject, notFound } from './errors.ts';
import { generateName } from './generate-name.ts';
import { type Machinery, type RequestContext, strategyContext, timestamp } from './machinery.ts';
import { managedChange } from './managed-change.ts';
import { objectKey } from './object-keys.ts';
import type { ServedResource } from './served-resource.ts';
import { servedObject, storedObject } from './stored-object.ts';

const NAME_ATTEMPTS = 8;
const CLAIM_ATTEMPTS = 64;

export interface CreateRequest {
  readonly resource: ServedResource;
  readonly namespace: string | undefined;
  /** Decoded in the version of the resource, without defaults. */
  readonly object: KubeObject;
  readonly context: RequestContext;
  /** True when managedFields are already those of the result (server-side apply). */
  readonly tracked?: boolean;
}

/** What a write has made: the stored version, or for a dry run only the object. */
export interface WriteResult {
  readonly entry: KeyValue | undefined;
  /** In the version of the resource. */
  readonly object: KubeObject;
  readonly created: boolean;
}

/** What has been stored; as an object only for those who ask for one. */
export class StoredResult implements WriteResult {
  readonly entry: KeyValue;
  readonly created: boolean;
  readonly #resource: ServedResource;

  constructor(entry: KeyValue, resource: ServedResource, created: boolean) {
    this.entry = entry;
    this.created = created;
    this.#resource = resource;
  }

  get object(): KubeObject {
    return servedObject(this.entry, this.#resource);
  }
}

/** Creates an object. Rejects with ApiStatusError as the real server does. */
export async function createObject(machinery: Machinery, request: CreateRequest): Promise<WriteResult> {
  const { resource, context } = request;
  if (request.object.metadata?.resourceVersion)
    throw badRequest('resourceVersion should not be set on objects to be created');
  const { load } = resource.stored.strategy;
  if (load) await load();
  const generated = !request.object.metadata?.name && Boolean(request.object.metadata?.generateName);
  for (let attempt = 1; ; attempt++) {
    const planned = planCreation(machinery, request);
    const taken = machinery.store.get(planned.key);
    if (taken) {
      if (generated && attempt < NAME_ATTEMPTS) continue;
      throw existing(resource, taken);
    }
    if (context.dryRun) return { entry: undefined, object: asServed(resource, planned.object!), created: true };
    try {
      const { ttlSeconds } = resource.stored.strategy;
      const lease = ttlSeconds === undefined ? undefined : await machinery.leases.take(ttlSeconds);
      const entry = await commitWrite(machinery, lease === undefined ? planned : { ...planned, lease });
      return new StoredResult(entry!, resource, true);
    } catch (error) {
      if (!(error instanceof StoreConflictError) || attempt >= CLAIM_ATTEMPTS) throw error;
      if (error.key === planned.key && !(generated && attempt < NAME_ATTEMPTS)) throw existing(resource, error.current);
    }
  }
}

/** The object as it would be stored, with defaults, admission, strategy and validation done. */
export function planCreation(
  machinery: Machinery,
  { resource, namespace, object, context, tracked = false }: CreateRequest,
): PlannedWrite {
  const { stored } = resource;
  checkObjectNamespace(resource, namespace, object);
  const named = withMetadata(object, systemMetadata(machinery, resource, namespace, object));
  checkNamespace(machinery, resource, named);
  const defaulted = resource.schema.applyDefaults(named);
  const owned = tracked ? defaulted : track(machinery, resource, defaulted, context);
  const cx = strategyContext(machinery, context);
  const internal = withoutStatus(resource, asStored(resource, owned));
  const fresh = stored.strategy.generation
    ? withMetadata(internal, { generation: 1 })
    : withMetadata(internal, { generation: undefined });
  const prepared = stored.strategy.create?.(fresh, cx) ?? fresh;
  const name = prepared.metadata?.name ?? '';
  const causes = [
    ...(stored.strategy.validate?.(prepared, cx) ?? []),
    ...resource.schema.validate(asServed(resource, prepared), undefined, context.warn),
    ...validateObjectMeta(prepared.metadata ?? {}, { namespaced: stored.type.namespaced, name: stored.strategy.name }),
  ];
  if (causes.length > 0) throw invalidObject(resource.schema, name, causes);
  for (const warning of stored.strategy.warnings?.(prepared) ?? []) context.warn(warning);
  const key = objectKey(stored.prefix, stored.type.namespaced ? prepared.metadata?.namespace : undefined, name);
  return { kind: stored, key, live: undefined, liveObject: undefined, object: prepared };
}

/** An object of the served version in the stored one. */
export function asStored(resource: ServedResource, object: KubeObject): ApiObject {
  return resource.conversion ? resource.conversion.toStored(object) : object;
}

/** An object of the stored version in the served one. */
export function asServed(resource: ServedResource, object: KubeObject): KubeObject {
  return resource.conversion ? resource.conversion.fromStored(object) : object;
}

/** 400 unless the object lies in the namespace of the request. */
export function checkObjectNamespace(
  resource: ServedResource,
  namespace: string | undefined,
  object: KubeObject,
): void {
  const given = object.metadata?.namespace ?? '';
  const expected = resource.type.namespaced ? (namespace ?? '') : '';
  if (given !== '' && given !== expected) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

function systemMetadata(
  machinery: Machinery,
  { type }: ServedResource,
  namespace: string | undefined,
  { metadata }: KubeObject,
): Partial<ObjectMeta> {
  const generated = !metadata?.name && metadata?.generateName;
  return {
    ...(generated ? { name: generateName(generated, machinery.random) } : {}),
    namespace: type.namespaced ? namespace : undefined,
    uid: crypto.randomUUID(),
    creationTimestamp: timestamp(machinery.clock),
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
    selfLink: undefined,
    resourceVersion: undefined,
  };
}

function withoutStatus(resource: ServedResource, object: ApiObject): ApiObject {
  const { subresources, keepsStatusOnCreate } = resource.stored.strategy;
  const drops = 'status' in subresources && !keepsStatusOnCreate && object.status !== undefined;
  return drops ? withFields(object, { status: undefined }) : object;
}

function track(
  machinery: Machinery,
  resource: ServedResource,
  updated: KubeObject,
  context: RequestContext,
): KubeObject {
  const change = managedChange(machinery, resource, '', context);
  return machinery.patches.trackUpdate({ ...change, live: undefined, updated });
}

// The admission plugin NamespaceLifecycle.
function checkNamespace({ reader }: Machinery, { type }: ServedResource, object: ApiObject): void {
  const { namespace, name = '' } = object.metadata ?? {};
  if (!type.namespaced || !namespace) return;
  const found = reader.get<Namespace>(resources.namespaces, { name: namespace });
  if (!found) throw notFound(resources.namespaces, namespace);
  if (found.metadata?.deletionTimestamp === undefined && found.status?.phase !== 'Terminating') return;
  const text = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const message = `namespace ${namespace} is being terminated`;
  throw forbiddenError(type, name, text, [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }]);
}

function existing(resource: ServedResource, entry: KeyValue | undefined): Error {
  const metadata = entry && storedObject(entry).metadata;
  return alreadyExists(resource.type, metadata?.name ?? '', metadata?.deletionTimestamp !== undefined);
}
