import type { Node, Pod } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { isPodReady, podCondition } from '../pods/pod-facts.ts';
import { readiness, silentConditions, wantedTaints } from './node-health.ts';

export interface NodeLifecycleOptions {
  /** Default 40. */
  readonly graceSeconds?: number | undefined;
}

/** Notices nodes that fall silent, and puts the taints on nodes that their conditions call for. */
export function startNodeLifecycleController(
  context: ControllerContext,
  options: NodeLifecycleOptions = {},
): Disposable {
  return new NodeLifecycleController(context, options).loop;
}

class NodeLifecycleController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #graceMs: number;
  /** When a node was last heard of, by the clock here: the node's own clock may be wrong. */
  readonly #heardOf = new Map<string, number>();

  constructor(context: ControllerContext, { graceSeconds = 40 }: NodeLifecycleOptions) {
    this.#context = context;
    this.#graceMs = graceSeconds * 1000;
    this.loop = new ControllerLoop(context, {
      name: 'node-lifecycle',
      component: 'node-controller',
      reconcile: (key) => this.#reconcile(key),
    });
    context.informers
      .for(resources.nodes)
      .onChange(({ key, previous, current }) => this.#nodeChanged(key, previous, current));
    context.informers.for(resources.leases).onChange(({ previous, current }) => {
      const { namespace, name = '' } = current?.metadata ?? {};
      if (namespace === 'kube-node-lease' && previous?.spec?.renewTime !== current?.spec?.renewTime) this.#heard(name);
    });
  }

  #heard(name: string): void {
    const wasSilent = this.#isSilent(name);
    this.#heardOf.set(name, this.#context.clock.now());
    if (wasSilent) this.loop.enqueue(name);
  }

  #isSilent(name: string): boolean {
    return this.#context.clock.now() - (this.#heardOf.get(name) ?? 0) >= this.#graceMs;
  }

  #nodeChanged(name: string, previous: Node | undefined, current: Node | undefined): void {
    if (current === undefined) {
      this.#heardOf.delete(name);
      this.#enqueueAll();
      return;
    }
    // A heartbeat in the status counts as well as one in the lease; our own Unknown is none.
    if (
      previous === undefined ||
      (!isSemanticallyEqual(previous.status, current.status) && readiness(current) !== 'Unknown')
    )
      this.#heard(name);
    this.loop.enqueue(name);
    if (previous === undefined || readiness(previous) !== readiness(current)) this.#enqueueAll();
  }

  #enqueueAll(): void {
    for (const node of this.#context.informers.for(resources.nodes).list()) this.loop.enqueue(keyOf(node));
  }

  async #reconcile(name: string): Promise<void> {
    const { informers, clock } = this.#context;
    const node = informers.for(resources.nodes).get(name);
    if (node === undefined) return this.loop.fence.forget(name);
    const silentIn = (this.#heardOf.get(name) ?? 0) + this.#graceMs - clock.now();
    if (silentIn > 0) this.loop.enqueueAfter(name, silentIn);
    const silent = silentIn <= 0 ? await this.#noteSilence(node) : node;
    await this.#writeTaints(silent);
    if (readiness(silent) !== 'True' && silent.status?.conditions?.some(({ type }) => type === 'Ready'))
      await this.#markPods(silent);
  }

  async #noteSilence(node: Node): Promise<Node> {
    const conditions = silentConditions(node, this.#context.clock.now());
    if (isSemanticallyEqual(conditions, node.status?.conditions)) return node;
    const name = node.metadata?.name ?? '';
    const { client, informers } = this.#context;
    const next = { ...node, status: { ...node.status, conditions } };
    const written = await client.update(resources.nodes, next, { subresource: 'status' });
    this.loop.fence.expectWritten(name, informers.for(resources.nodes), written);
    if (readiness(node) === 'True') {
      const message = `Node ${name} status is now: NodeNotReady`;
      this.loop.recorder.record(resources.nodes, node, { type: 'Normal', reason: 'NodeNotReady', message });
    }
    return written;
  }

  async #writeTaints(node: Node): Promise<void> {
    const { client, informers, clock } = this.#context;
    const evict = informers
      .for(resources.nodes)
      .list()
      .some((other) => readiness(other) === 'True');
    const taints = wantedTaints(node, { evict, now: clock.now() });
    if (taints === undefined) return;
    const name = node.metadata?.name ?? '';
    const { uid, resourceVersion } = node.metadata ?? {};
    const body = { metadata: { uid, resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } };
    const written = await client.patch(resources.nodes, { name }, { type: 'merge', body });
    this.loop.fence.expectWritten(name, informers.for(resources.nodes), written);
  }

  // Services must not send anything to the pods of a node that does not answer.
  async #markPods(node: Node): Promise<void> {
    const pods = this.#context.indexes.podsByNode.get(node.metadata?.name ?? '').filter(isPodReady);
    await Promise.all(pods.map((pod) => this.#markPod(pod)));
  }

  async #markPod(pod: Pod): Promise<void> {
    const { client, clock } = this.#context;
    const ready = { ...podCondition(pod, 'Ready')!, status: 'False', lastTransitionTime: timestampOf(clock.now()) };
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready' ? ready : condition,
    );
    const { namespace, name = '', uid } = pod.metadata ?? {};
    const patch = { type: 'merge', body: { metadata: { uid }, status: { conditions } } } as const;
    try {
      await client.patch(resources.pods, { namespace, name }, patch, { subresource: 'status' });
      this.loop.recorder.record(resources.pods, pod, {
        type: 'Warning',
        reason: 'NodeNotReady',
        message: 'Node is not ready',
      });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  }
}
