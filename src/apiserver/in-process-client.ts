import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectKey,
  Watch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../kube/client.ts';
import type { Binding, Eviction, Scale, ServiceAccount, TokenRequest } from '../kube/generated/types.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '../kube/resources.ts';
import { ApiStatusError } from '../kube/status.ts';
import type { ServiceAccountTokens } from './access/service-account-tokens.ts';
import { findEntry } from './http/read-verbs.ts';
import { createObject } from './machinery/create-object.ts';
import { deleteObject } from './machinery/delete-object.ts';
import { listObjects } from './machinery/list-objects.ts';
import type { Machinery, RequestContext } from './machinery/machinery.ts';
import { checkFields, patchObject } from './machinery/patch-object.ts';
import type { ServedResource } from './machinery/served-resource.ts';
import { servedObject, storedObject } from './machinery/stored-object.ts';
import type { Caller } from './machinery/strategy.ts';
import { updateObject } from './machinery/update-object.ts';
import type { ObjectChange } from './machinery/watch-objects.ts';
import { watchObjects } from './machinery/watch-objects.ts';
import { bindPod } from './subresources/binding.ts';
import { evictPod } from './subresources/eviction.ts';
import { scaleOf, withScale, workloadScale } from './subresources/scale.ts';

export interface InProcessClientOptions {
  /** Recorded in managedFields when a write names no manager. */
  readonly fieldManager: string;
  /** Issues tokens for the subresource `token`. */
  readonly tokens: ServiceAccountTokens;
  /** Who the writes are done as, for admission; nothing is authorized in process. */
  readonly caller: Caller;
  /** Told of warnings of the server. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** The API without HTTP: the same machinery, validation and errors, objects shared instead of copied. */
export class InProcessClient implements KubeClient {
  readonly #machinery: Machinery;
  readonly #options: InProcessClientOptions;

  constructor(machinery: Machinery, options: InProcessClientOptions) {
    this.#machinery = machinery;
    this.#options = options;
  }

  async get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T> {
    const resource = this.#resource(type);
    return servedObject(await findEntry(this.#machinery, resource, key), resource) as T;
  }

  async list<T extends KubeObject>(
    type: ResourceType<T>,
    options: ListOptions = {},
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }> {
    const resource = this.#resource(type);
    const { entries, revision } = await listObjects(this.#machinery, { resource, ...selection(options) });
    return { items: entries.map((entry) => servedObject(entry, resource) as T), resourceVersion: String(revision) };
  }

  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
    onEnd: (cause?: unknown) => void,
  ): Watch {
    const resource = this.#resource(type);
    const onChanges = (changes: readonly ObjectChange[]): void => {
      for (const change of changes) onEvent(change as unknown as WatchEvent<T>);
    };
    try {
      const watched = { resource, ...selection(options) };
      return watchObjects(this.#machinery, watched, Number(options.resourceVersion), { onChanges, onEnd });
    } catch (error) {
      if (!(error instanceof ApiStatusError)) throw error;
      return endedWatch(error, onEvent as (event: WatchEvent) => void, onEnd);
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const resource = this.#resource(type);
    const context = this.#context(options);
    const { namespace, name = '' } = object.metadata ?? {};
    if (options.subresource === 'binding') {
      const binding = object as unknown as Binding;
      await bindPod(this.#machinery, { pods: resource, namespace: namespace ?? '', name, binding, context });
      return object;
    }
    if (options.subresource === 'eviction') {
      const eviction = object as unknown as Eviction;
      await evictPod(this.#machinery, { pods: resource, namespace: namespace ?? '', name, eviction, context });
      return object;
    }
    if (options.subresource === 'token') {
      const account: ServiceAccount = storedObject(await findEntry(this.#machinery, resource, { namespace, name }));
      return this.#options.tokens.issue(account, object as unknown as TokenRequest) as unknown as T;
    }
    const decoded = this.#decode(resource, object, context);
    const result = await createObject(this.#machinery, { resource, namespace, object: decoded, context });
    return result.object as T;
  }

  async update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const resource = this.#resource(type);
    const context = this.#context(options);
    const { subresource = '' } = options;
    const { namespace, name = '' } = object.metadata ?? {};
    if (subresource === 'scale')
      return this.#updateScale(resource, object as Scale, context) as Promise<unknown> as Promise<T>;
    const decoded = this.#decode(resource, object, context);
    const want = () => ({ object: decoded, tracked: false });
    const result = await updateObject(this.#machinery, { resource, subresource, namespace, name, context, want });
    return result.object as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, name }: ObjectKey,
    { type: kind, body, force = false }: Parameters<KubeClient['patch']>[2],
    options: WriteOptions = {},
  ): Promise<T> {
    const resource = this.#resource(type);
    const context = this.#context(options);
    const request = { resource, subresource: options.subresource ?? '', namespace, name, context };
    const result = await patchObject(this.#machinery, { ...request, type: kind, body, force });
    return result.object as T;
  }

  async delete(type: ResourceType, { namespace, name }: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    await deleteObject(this.#machinery, {
      resource: this.#resource(type),
      namespace,
      name,
      options: { gracePeriodSeconds, propagationPolicy, preconditions },
      context: this.#context({}),
    });
  }

  async #updateScale(resource: ServedResource, scale: Scale, context: RequestContext): Promise<Scale> {
    const { namespace, name = '' } = scale.metadata ?? {};
    const want = (live: KubeObject | undefined) => ({ object: withScale(live!, scale, workloadScale), tracked: false });
    const result = await updateObject(this.#machinery, {
      resource,
      subresource: 'scale',
      namespace,
      name,
      context,
      want,
    });
    return scaleOf(result.entry ? storedObject(result.entry) : result.object, workloadScale);
  }

  #decode(resource: ServedResource, object: KubeObject, context: RequestContext): KubeObject {
    const { kind } = resource.type;
    const decoded = resource.schema.decodeValue({ ...object, kind, apiVersion: apiVersionOf(resource.type) });
    checkFields(this.#machinery, resource.schema, decoded, context);
    return decoded.object;
  }

  #resource({ group, version, resource }: ResourceType): ServedResource {
    const found = this.#machinery.registry.find(group, version, resource);
    if (found) return found;
    throw new ApiStatusError('NotFound', 'the server could not find the requested resource', { group, kind: resource });
  }

  #context({ fieldManager, dryRun = false }: WriteOptions): RequestContext {
    const { caller, onWarning } = this.#options;
    const manager = fieldManager ?? this.#options.fieldManager;
    return { caller, manager, dryRun, fieldValidation: 'Strict', warn: (text) => onWarning?.(text) };
  }
}

function selection({ namespace, labelSelector, fieldSelector }: ListOptions) {
  return { namespace, labelSelector, fieldSelector };
}

// As over HTTP, an expired version is told by an ERROR event and the end.
function endedWatch(
  error: ApiStatusError,
  onEvent: (event: WatchEvent) => void,
  onEnd: (cause?: unknown) => void,
): Watch {
  let closed = false;
  queueMicrotask(() => {
    if (closed) return;
    onEvent({ type: 'ERROR', object: error.toStatus() as unknown as KubeObject });
    if (!closed) onEnd(error);
  });
  const close = (): void => {
    closed = true;
  };
  return { close, [Symbol.dispose]: close };
}
