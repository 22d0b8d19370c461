import type { KubeClient } from '../../kube/client.ts';
import type { Namespace } from '../../kube/generated/types.ts';
import { type KubeObject, keyOf, type ResourceType, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import type { ServedKinds } from '../config.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { buildNamespaceConditions, type Remaining } from './namespace-conditions.ts';

const FINALIZER = 'kubernetes';
/** What cannot be seen to go (finalizers of others) is looked at again after so long, and then ever less often. */
const FIRST_RECHECK_MS = 20;
const LAST_RECHECK_MS = 1000;

/** Empties namespaces that are being deleted, and lets them go when nothing is left. */
export function startNamespaceController(context: ControllerContext, kinds: ServedKinds): Disposable {
  return new NamespaceController(context, kinds).loop;
}

class NamespaceController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #kinds: ServedKinds;
  readonly #rechecks = new Map<string, number>();

  constructor(context: ControllerContext, kinds: ServedKinds) {
    this.#context = context;
    this.#kinds = kinds;
    const namespaces = context.informers.for(resources.namespaces);
    this.loop = new ControllerLoop(context, { name: 'namespace', reconcile: (key) => this.#reconcile(key) }).watch(
      namespaces,
      (namespace) => (namespace.metadata?.deletionTimestamp === undefined ? [] : [keyOf(namespace)]),
    );
    context.informers.for(resources.pods).onChange(({ previous, current }) => {
      const name = previous?.metadata?.namespace ?? '';
      if (current === undefined && namespaces.get(name)?.metadata?.deletionTimestamp !== undefined)
        this.loop.enqueue(name);
    });
  }

  async #reconcile(name: string): Promise<void> {
    const { client, informers } = this.#context;
    const namespace = informers.for(resources.namespaces).get(name);
    if (namespace?.metadata?.deletionTimestamp === undefined) {
      this.#rechecks.delete(name);
      return;
    }
    const remaining = await this.#empty(name);
    await this.#writeConditions(namespace, remaining);
    if (remaining.length > 0) {
      const wait = this.#rechecks.get(name) ?? FIRST_RECHECK_MS;
      this.#rechecks.set(name, Math.min(wait * 2, LAST_RECHECK_MS));
      return this.loop.enqueueAfter(name, wait);
    }
    await finalize(client, name);
  }

  // Pods first: what they use stays until they have ended.
  async #empty(namespace: string): Promise<readonly Remaining[]> {
    const pods = await this.#emptyOf(resources.pods, namespace);
    if (pods.count > 0) return [pods];
    const namespaced = this.#kinds.list().filter((type) => type.namespaced && type.resource !== 'pods');
    // Several versions, and for events two groups, show the same objects.
    const types = new Map(
      namespaced.map((type) => [type.resource === 'events' ? 'events' : `${type.group}/${type.resource}`, type]),
    );
    const counts = await Promise.all([...types.values()].map((type) => this.#emptyOf(type, namespace)));
    return counts.filter(({ count }) => count > 0);
  }

  async #emptyOf(type: ResourceType, namespace: string): Promise<Remaining> {
    const { client } = this.#context;
    const before = await listOf(client, type, namespace);
    if (before.length === 0) return { type, count: 0, finalizers: [] };
    await Promise.all(before.map((object) => deleteQuietly(client, type, object)));
    const after = await listOf(client, type, namespace);
    return { type, count: after.length, finalizers: after.flatMap(({ metadata }) => metadata?.finalizers ?? []) };
  }

  async #writeConditions(namespace: Namespace, remaining: readonly Remaining[]): Promise<void> {
    const { client, clock } = this.#context;
    const conditions = buildNamespaceConditions(namespace, remaining, clock.now());
    if (remaining.length === 0 || isSemanticallyEqual(conditions, namespace.status?.conditions)) return;
    const body = { status: { phase: 'Terminating', conditions } };
    const { name = '' } = namespace.metadata ?? {};
    await client.patch(resources.namespaces, { name }, { type: 'merge', body }, { subresource: 'status' });
  }
}

async function finalize(client: KubeClient, name: string): Promise<void> {
  try {
    const fresh = await client.get(resources.namespaces, { name });
    if (fresh.metadata?.deletionTimestamp === undefined) return;
    const finalizers = fresh.spec?.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
    await client.update(
      resources.namespaces,
      { ...fresh, spec: { ...fresh.spec, finalizers } },
      { subresource: 'finalize' },
    );
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
  }
}

async function listOf(client: KubeClient, type: ResourceType, namespace: string): Promise<readonly KubeObject[]> {
  try {
    return (await client.list(type, { namespace })).items;
  } catch (error) {
    // The kind is not served (any more): then there is nothing of it.
    if (isReason(error, 'NotFound')) return [];
    throw error;
  }
}

async function deleteQuietly(client: KubeClient, type: ResourceType, { metadata }: KubeObject): Promise<void> {
  const { namespace, name = '', uid, deletionTimestamp } = metadata ?? {};
  if (deletionTimestamp !== undefined) return;
  try {
    await client.delete(type, { namespace, name }, { uid, propagationPolicy: 'Background' });
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
  }
}
