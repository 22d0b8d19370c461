import type { OwnerReference } from '../../kube/generated/types.ts';
import { Informer } from '../../kube/informer.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import type { ServedKinds } from '../config.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { type GraphNode, OwnerGraph, ownerUids } from './owner-graph.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/** Deletes what has lost its last owner, and lets owners go that wait for their dependents or leave them behind. */
export function startGarbageCollector(context: ControllerContext, kinds: ServedKinds): Disposable {
  const collector = new GarbageCollector(context, kinds);
  collector.follow();
  return collector;
}

interface Followed {
  readonly type: ResourceType;
  /** The informer, when it is not a shared one. */
  readonly own: Informer<KubeObject> | undefined;
}

class GarbageCollector implements Disposable {
  readonly #context: ControllerContext;
  readonly #kinds: ServedKinds;
  readonly #graph = new OwnerGraph();
  readonly #loop: ControllerLoop;
  /** By group and resource: one of the versions that are served. */
  readonly #followed = new Map<string, Followed>();
  readonly #subscription: Disposable;

  constructor(context: ControllerContext, kinds: ServedKinds) {
    this.#context = context;
    this.#kinds = kinds;
    this.#loop = new ControllerLoop(context, { name: 'garbagecollector', reconcile: (uid) => this.#reconcile(uid) });
    this.#subscription = kinds.onChange(() => this.follow());
  }

  /** Follows the kinds that are served now, each in one version, and no others. */
  follow(): void {
    const served = this.#kinds.list().filter(({ resource }) => resource !== 'events');
    for (const [identity, { type, own }] of this.#followed) {
      if (own === undefined || served.some((kind) => isSameVersion(kind, type))) continue;
      own[Symbol.dispose]();
      for (const object of own.list()) this.#changed(type, object, undefined);
      this.#followed.delete(identity);
    }
    for (const type of served) {
      const identity = `${type.group}/${type.resource}`;
      if (!this.#followed.has(identity)) this.#followed.set(identity, this.#followKind(type));
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const { own } of this.#followed.values()) own?.[Symbol.dispose]();
    this.#loop[Symbol.dispose]();
  }

  // Kinds that may cease to be served get an informer that can be ended; nobody else reads them through the shared ones.
  #followKind(type: ResourceType): Followed {
    const { client, clock, informers } = this.#context;
    const shared = Object.values(resources).some((known) => isSameVersion(known, type));
    const informer = shared ? informers.for(type) : new Informer<KubeObject>(client, clock, type);
    informer.onChange(({ previous, current }) => this.#changed(type, previous, current));
    if (!shared) void informer.start();
    return { type, own: shared ? undefined : informer };
  }

  #changed(type: ResourceType, previous: KubeObject | undefined, current: KubeObject | undefined): void {
    this.#graph.apply(type, previous, current);
    const { uid = '' } = (current ?? previous)?.metadata ?? {};
    const replaced = previous !== undefined && previous.metadata?.uid !== current?.metadata?.uid;
    if (replaced)
      for (const dependent of this.#graph.dependentsOf(previous.metadata?.uid ?? '')) this.#enqueue(dependent);
    if (previous !== undefined) for (const owner of this.#deletingOwnersOf(previous)) this.#loop.enqueue(owner);
    if (current !== undefined && this.#isOfInterest(current)) this.#loop.enqueue(uid);
  }

  // The bulk of all changes is pods whose owner is there: nothing to do.
  #isOfInterest({ metadata }: KubeObject): boolean {
    if (metadata?.deletionTimestamp !== undefined) {
      return metadata.finalizers?.some((finalizer) => finalizer === ORPHAN || finalizer === FOREGROUND) ?? false;
    }
    return (metadata?.ownerReferences ?? []).some(
      (reference) => this.#stateOf(reference, metadata?.namespace) !== 'solid',
    );
  }

  #deletingOwnersOf(object: KubeObject): readonly string[] {
    return ownerUids(object).filter((uid) => this.#graph.get(uid)?.object.metadata?.deletionTimestamp !== undefined);
  }

  #enqueue({ object }: GraphNode): void {
    this.#loop.enqueue(object.metadata?.uid ?? '');
  }

  async #reconcile(uid: string): Promise<void> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    const { finalizers = [], deletionTimestamp } = node.object.metadata ?? {};
    if (deletionTimestamp === undefined) return this.#checkOwners(node);
    if (finalizers.includes(ORPHAN)) return this.#orphanDependents(node);
    if (finalizers.includes(FOREGROUND)) return this.#deleteDependents(node);
  }

  async #checkOwners(node: GraphNode): Promise<void> {
    const { namespace, ownerReferences = [], uid = '' } = node.object.metadata ?? {};
    const states = await Promise.all(ownerReferences.map((reference) => this.#freshStateOf(reference, namespace)));
    if (states.length === 0 || states.includes('unknown')) return;
    const solid = ownerReferences.filter((_reference, index) => states[index] === 'solid');
    if (solid.length === ownerReferences.length) return;
    if (solid.length > 0) return this.#writeMetadata(node, { ownerReferences: solid });
    const waits = states.includes('waiting') && this.#graph.dependentsOf(uid).length > 0;
    await this.#delete(node, waits ? 'Foreground' : policyOf(node.object));
  }

  async #orphanDependents(node: GraphNode): Promise<void> {
    const { uid = '', finalizers = [] } = node.object.metadata ?? {};
    await Promise.all(
      this.#graph.dependentsOf(uid).map((dependent) => {
        const rest = dependent.object.metadata?.ownerReferences?.filter((reference) => reference.uid !== uid) ?? [];
        return this.#writeMetadata(dependent, { ownerReferences: rest });
      }),
    );
    await this.#writeMetadata(node, { finalizers: finalizers.filter((finalizer) => finalizer !== ORPHAN) });
  }

  async #deleteDependents(node: GraphNode): Promise<void> {
    const { uid = '', finalizers = [] } = node.object.metadata ?? {};
    const blocking = this.#graph
      .dependentsOf(uid)
      .filter(({ object }) =>
        object.metadata?.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion),
      );
    if (blocking.length === 0) {
      return this.#writeMetadata(node, { finalizers: finalizers.filter((finalizer) => finalizer !== FOREGROUND) });
    }
    for (const dependent of blocking) this.#enqueue(dependent);
  }

  async #delete({ type, object }: GraphNode, propagationPolicy: 'Background' | 'Foreground' | 'Orphan'): Promise<void> {
    const { namespace, name = '', uid } = object.metadata ?? {};
    await quietly(this.#context.client.delete(type, { namespace, name }, { uid, propagationPolicy }));
  }

  async #writeMetadata(
    { type, object }: GraphNode,
    change: { readonly ownerReferences?: readonly OwnerReference[]; readonly finalizers?: readonly string[] },
  ): Promise<void> {
    const { namespace, name = '', uid, resourceVersion } = object.metadata ?? {};
    const body = { metadata: { uid, resourceVersion, ...change } };
    await quietly(this.#context.client.patch(type, { namespace, name }, { type: 'merge', body }));
  }

  #stateOf(reference: OwnerReference, namespace: string | undefined): 'solid' | 'waiting' | 'missing' {
    if (!this.#graph.has(reference, namespace)) return 'missing';
    const { deletionTimestamp, finalizers } = this.#graph.get(reference.uid)?.object.metadata ?? {};
    return deletionTimestamp !== undefined && finalizers?.includes(FOREGROUND) ? 'waiting' : 'solid';
  }

  // The caches of two kinds do not keep step: before anything is deleted the server is asked whether the owner is really gone.
  async #freshStateOf(
    reference: OwnerReference,
    namespace: string | undefined,
  ): Promise<'solid' | 'waiting' | 'missing' | 'unknown'> {
    const state = this.#stateOf(reference, namespace);
    if (state !== 'missing') return state;
    const group = reference.apiVersion.includes('/') ? reference.apiVersion.split('/')[0] : '';
    const type = this.#kinds.list().find((kind) => kind.group === group && kind.kind === reference.kind);
    if (type === undefined) return 'unknown';
    try {
      const { name } = reference;
      const owner = await this.#context.client.get(type, type.namespaced ? { namespace, name } : { name });
      return owner.metadata?.uid === reference.uid ? 'solid' : 'missing';
    } catch (error) {
      if (isReason(error, 'NotFound')) return 'missing';
      throw error;
    }
  }
}

function policyOf({ metadata }: KubeObject): 'Background' | 'Foreground' | 'Orphan' {
  if (metadata?.finalizers?.includes(ORPHAN)) return 'Orphan';
  return metadata?.finalizers?.includes(FOREGROUND) ? 'Foreground' : 'Background';
}

function isSameVersion(a: ResourceType, b: ResourceType): boolean {
  return a.group === b.group && a.version === b.version && a.resource === b.resource;
}

async function quietly(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
  }
}
