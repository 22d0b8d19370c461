import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectKey,
  PatchType,
  Watch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../../src/kube/client.ts';
import type { Clock } from '../../src/kube/clock.ts';
import type { Binding, Namespace, ObjectMeta, Pod } from '../../src/kube/generated/types.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../src/kube/resources.ts';
import { ApiStatusError } from '../../src/kube/status.ts';
import {
  alreadyExists,
  type Change,
  conflict,
  keyText,
  merged,
  podGrace,
  qualified,
  selection,
  tell,
  typeMeta,
  type Watcher,
  withoutStatus,
} from './fake-kube-semantics.ts';
import { frozenCopy, isDeepEqual, jsonPatch, mergePatch, type Plain, strategicPatch } from './json.ts';
import { SteppedClock } from './stepped-clock.ts';

type Verb = 'get' | 'list' | 'create' | 'update' | 'patch' | 'delete';

/** One request that the client was asked for, in order. */
export interface FakeAction {
  readonly verb: Verb;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly key: string;
  readonly object?: KubeObject | undefined;
}

/** Told of every request before it is done; what it throws or returns becomes the request's rejection. */
export type Reactor = (action: FakeAction) => Error | undefined;

/**
 * The Kubernetes API in memory: revisions, optimistic concurrency, generation, the status subresource, finalizers, graceful
 * pod deletion, binding, selectors and watches, as the real server does them. No defaulting, validation or admission.
 * Objects that come out are frozen, so that a room that changes a shared object fails its test.
 */
export class FakeKubeClient implements KubeClient {
  readonly clock: Clock;
  readonly actions: FakeAction[] = [];
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watchers = new Set<Watcher>();
  readonly #history: Change[] = [];
  readonly #reactors: Reactor[] = [];
  readonly #deletedNamespaces = new Set<string>();
  #revision = 1000;
  #uid = 0;

  constructor(clock: Clock = new SteppedClock()) {
    this.clock = clock;
  }

  /** Adds a reactor, for faults. */
  react(reactor: Reactor): this {
    this.#reactors.push(reactor);
    return this;
  }

  /** Stores objects exactly as given, status included (only missing metadata is filled in), and tells the watchers. */
  put<T extends KubeObject>(type: ResourceType<T>, ...objects: readonly T[]): void {
    for (const object of objects) {
      const previous = this.#of(type).get(keyOf(object));
      const fresh = {
        uid: previous?.metadata?.uid ?? this.#nextUid(),
        creationTimestamp: this.#timestamp(),
        generation: 1,
      };
      this.#write(type, { ...object, metadata: { ...fresh, ...object.metadata } });
    }
  }

  /** Removes an object at once, whatever its finalizers and grace period. */
  remove(type: ResourceType, key: string): void {
    if (this.#of(type).has(key)) this.#erase(type, key);
  }

  /** The stored object, or undefined. */
  peek<T extends KubeObject>(type: ResourceType<T>, key: string): T | undefined {
    return this.#of(type).get(key) as T | undefined;
  }

  /** Every stored object of a kind, by key. */
  all<T extends KubeObject>(type: ResourceType<T>): T[] {
    const stored = this.#of(type);
    return [...stored.keys()].sort().map((key) => stored.get(key) as T);
  }

  /** Ends every watch, as a server that goes away; with a cause the informers list again. */
  endWatches(cause?: unknown): void {
    for (const watcher of [...this.#watchers]) {
      this.#watchers.delete(watcher);
      queueMicrotask(() => watcher.end(cause));
    }
  }

  async get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T> {
    this.#act({ verb: 'get', resource: type.resource, key: keyText(key) });
    return this.#need(type, keyText(key)) as T;
  }

  async list<T extends KubeObject>(
    type: ResourceType<T>,
    options: ListOptions = {},
  ): Promise<{ readonly items: readonly T[]; readonly resourceVersion: string }> {
    this.#act({ verb: 'list', resource: type.resource, key: options.namespace ?? '' });
    const matches = selection(options);
    return { items: this.all(type).filter(matches), resourceVersion: String(this.#revision) };
  }

  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
    onEnd: (cause?: unknown) => void,
  ): Watch {
    const watcher: Watcher = {
      type,
      matches: selection(options),
      deliver: (event) => queueMicrotask(() => this.#watchers.has(watcher) && onEvent(event as WatchEvent<T>)),
      end: onEnd,
    };
    this.#watchers.add(watcher);
    const from = Number(options.resourceVersion);
    for (const change of this.#history) if (change.revision > from) tell(watcher, change);
    const close = (): void => {
      if (this.#watchers.delete(watcher)) queueMicrotask(() => onEnd());
    };
    return { close, [Symbol.dispose]: close };
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { subresource } = options;
    const key = keyOf(object);
    this.#act({ verb: 'create', resource: type.resource, subresource, key, object });
    if (subresource === 'binding') return this.#bind(object as unknown as Binding) as unknown as T;
    if (subresource === 'eviction') {
      await this.#delete(resources.pods, key, {});
      return object;
    }
    const metadata = this.#newMetadata(type, object.metadata ?? {});
    const created = { ...object, ...typeMeta(type), metadata };
    if (this.#of(type).has(keyOf(created))) throw alreadyExists(type, metadata.name ?? '');
    if (!withoutStatus.has(type.resource)) Reflect.deleteProperty(created, 'status');
    return options.dryRun ? created : (this.#write(type, created) as T);
  }

  async update<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    this.#act({
      verb: 'update',
      resource: type.resource,
      subresource: options.subresource,
      key: keyOf(object),
      object,
    });
    return this.#replace(type, object, options.subresource) as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown },
    options: WriteOptions = {},
  ): Promise<T> {
    const { subresource } = options;
    this.#act({
      verb: 'patch',
      resource: type.resource,
      subresource,
      key: keyText(key),
      object: patch.body as KubeObject,
    });
    const current = this.#need(type, keyText(key)) as Plain;
    if (patch.type === 'merge') return this.#replace(type, mergePatch(current, patch.body) as T, subresource) as T;
    if (patch.type === 'json') return this.#replace(type, jsonPatch(current, patch.body) as T, subresource) as T;
    if (patch.type === 'strategic') {
      return this.#replace(type, strategicPatch(current, patch.body) as T, subresource) as T;
    }
    throw new ApiStatusError('UnsupportedMediaType', `FakeKubeClient knows no ${patch.type} patches`);
  }

  async delete(type: ResourceType, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    this.#act({ verb: 'delete', resource: type.resource, key: keyText(key) });
    await this.#delete(type, keyText(key), options);
  }

  async #delete(type: ResourceType, key: string, options: DeleteOptions): Promise<void> {
    const object = this.#need(type, key);
    const metadata = object.metadata ?? {};
    const stale = options.uid !== undefined && options.uid !== metadata.uid;
    const raced = options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion;
    if (stale || raced) throw conflict(type, metadata.name ?? '', 'the precondition does not hold');
    const grace = type.resource === 'pods' ? podGrace(object as Pod, options) : 0;
    const finalizers = new Set(metadata.finalizers);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const held = type.resource === 'namespaces' && (object as Namespace).spec?.finalizers?.length;
    if (finalizers.size === 0 && grace === 0 && !held) return this.#erase(type, key);
    const shorter = Math.min(grace, metadata.deletionGracePeriodSeconds ?? grace);
    if (metadata.deletionTimestamp !== undefined && shorter === metadata.deletionGracePeriodSeconds) return;
    const deletion: ObjectMeta = {
      ...metadata,
      ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
      deletionTimestamp: this.#timestamp(grace),
      deletionGracePeriodSeconds: grace,
      generation: (metadata.generation ?? 0) + 1,
    };
    const status = held ? { status: { phase: 'Terminating' } } : {};
    this.#write(type, { ...object, ...status, metadata: deletion });
  }

  #replace(type: ResourceType, object: KubeObject, subresource: string | undefined): KubeObject {
    const key = keyOf(object);
    const current = this.#need(type, key) as Plain & KubeObject;
    const { name, resourceVersion } = object.metadata ?? {};
    if (resourceVersion !== undefined && resourceVersion !== current.metadata?.resourceVersion) {
      throw conflict(
        type,
        name ?? '',
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    }
    const next = merged(type, current, object as Plain & KubeObject, subresource);
    if (
      isDeepEqual(
        { ...next, metadata: { ...next.metadata, resourceVersion: '' } },
        { ...current, metadata: { ...current.metadata, resourceVersion: '' } },
      )
    ) {
      return current;
    }
    const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = next.metadata ?? {};
    const held = type.resource === 'namespaces' && (next as Namespace).spec?.finalizers?.length;
    if (deletionTimestamp !== undefined && !finalizers?.length && !deletionGracePeriodSeconds && !held) {
      this.#erase(type, key);
      return next;
    }
    return this.#write(type, next);
  }

  #bind({ metadata, target }: Binding): KubeObject {
    const pod = this.#need(resources.pods, keyOf({ metadata })) as Pod;
    if (pod.spec?.nodeName) {
      throw conflict(
        resources.pods,
        metadata?.name ?? '',
        `pod ${metadata?.name} is already assigned to node "${pod.spec.nodeName}"`,
      );
    }
    const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: this.#timestamp() };
    const conditions = [...(pod.status?.conditions ?? []).filter((c) => c.type !== 'PodScheduled'), scheduled];
    const spec = { ...pod.spec, nodeName: target.name } as Pod['spec'];
    return this.#write(resources.pods, {
      ...pod,
      spec,
      status: { phase: 'Pending', ...pod.status, conditions },
    } as Pod);
  }

  #newMetadata(type: ResourceType, metadata: ObjectMeta): ObjectMeta {
    const uid = this.#nextUid();
    const name = metadata.name ?? `${metadata.generateName ?? ''}${(36 ** 4 + this.#uid).toString(36)}`;
    if (type.namespaced && !metadata.namespace)
      throw new ApiStatusError('BadRequest', 'an empty namespace may not be set during creation');
    this.#checkNamespace(metadata.namespace);
    return { ...metadata, name, uid, creationTimestamp: this.#timestamp(), generation: 1 };
  }

  // Namespaces need not be put here first; but one that goes or is gone takes nothing more.
  #checkNamespace(name: string | undefined): void {
    const namespace = this.#of(resources.namespaces).get(name ?? '');
    if (namespace?.metadata?.deletionTimestamp !== undefined) {
      const causes = [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${name} is being terminated`,
          field: 'metadata.namespace',
        },
      ];
      throw new ApiStatusError(
        'Forbidden',
        `unable to create new content in namespace ${name} because it is being terminated`,
        { causes },
      );
    }
    if (name !== undefined && namespace === undefined && this.#deletedNamespaces.has(name)) {
      throw new ApiStatusError('NotFound', `namespaces "${name}" not found`);
    }
  }

  #write(type: ResourceType, object: KubeObject): KubeObject {
    const revision = ++this.#revision;
    const key = keyOf(object);
    const metadata = { ...object.metadata, resourceVersion: String(revision) };
    const current = frozenCopy({ ...typeMeta(type), ...object, metadata });
    const previous = this.#of(type).get(key);
    this.#of(type).set(key, current);
    this.#publish({ type, revision, previous, current });
    return current;
  }

  #erase(type: ResourceType, key: string): void {
    const previous = this.#of(type).get(key);
    this.#of(type).delete(key);
    if (type.resource === 'namespaces') this.#deletedNamespaces.add(key);
    this.#publish({ type, revision: ++this.#revision, previous, current: undefined });
  }

  #publish(change: Change): void {
    this.#history.push(change);
    for (const watcher of this.#watchers) tell(watcher, change);
  }

  #of(type: ResourceType): Map<string, KubeObject> {
    const name = `${type.group}/${type.resource}`;
    const found = this.#objects.get(name) ?? new Map<string, KubeObject>();
    this.#objects.set(name, found);
    return found;
  }

  #need(type: ResourceType, key: string): KubeObject {
    const object = this.#of(type).get(key);
    if (object !== undefined) return object;
    const name = key.slice(key.indexOf('/') + 1);
    throw new ApiStatusError('NotFound', `${qualified(type)} "${name}" not found`, { name, kind: type.resource });
  }

  #act(action: FakeAction): void {
    this.actions.push(action);
    for (const reactor of this.#reactors) {
      const error = reactor(action);
      if (error) throw error;
    }
  }

  #nextUid(): string {
    return `00000000-0000-4000-8000-${String(++this.#uid).padStart(12, '0')}`;
  }

  #timestamp(plusSeconds = 0): string {
    return `${new Date(this.clock.now() + plusSeconds * 1000).toISOString().slice(0, 19)}Z`;
  }
}
