import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { microTimestampOf } from '../../kube/timestamp.ts';
import { buildNodeStatus, type NodeFacts } from './build-node.ts';

export interface HeartbeatsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

const LEASE_NAMESPACE = 'kube-node-lease';
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
// The kubelet reports an unchanged status every five minutes.
const STATUS_TICKS = 30;

/** Keeps the leases of all nodes of the process fresh with one timer, and their statuses every five minutes. */
export class Heartbeats implements Disposable {
  readonly #options: HeartbeatsOptions;
  readonly #nodes = new Map<string, NodeFacts>();
  #timer: Disposable | undefined;
  #ticks = 0;
  #closed = false;

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
  }

  /** Begins the node's heartbeat: its lease is written at once. */
  async add(facts: NodeFacts): Promise<void> {
    this.#nodes.set(facts.name, facts);
    await this.#renew(facts);
    this.#schedule();
  }

  /** Ends it: the lease stays and runs out, as that of a node that has failed. */
  remove(nodeName: string): void {
    this.#nodes.delete(nodeName);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.schedule(RENEW_MS, () => {
      this.#timer = undefined;
      void this.#tick().finally(() => this.#schedule());
    });
  }

  async #tick(): Promise<void> {
    this.#ticks++;
    for (const facts of [...this.#nodes.values()]) {
      try {
        await this.#renew(facts);
        if (this.#ticks % STATUS_TICKS === 0) await this.#report(facts);
      } catch (error) {
        if (!this.#closed) this.#options.onError(error);
      }
    }
  }

  async #renew({ name }: NodeFacts): Promise<void> {
    const { client, clock } = this.#options;
    const renewTime = microTimestampOf(clock.now());
    const key = { namespace: LEASE_NAMESPACE, name };
    try {
      await client.patch(resources.leases, key, { type: 'merge', body: { spec: { renewTime } } });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      const spec = { holderIdentity: name, leaseDurationSeconds: LEASE_SECONDS, renewTime };
      await client.create(resources.leases, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: await this.#leaseMetadata(name),
        spec,
      });
    }
  }

  async #leaseMetadata(name: string) {
    const { metadata } = await this.#options.client.get(resources.nodes, { name });
    const owner = { apiVersion: 'v1', kind: 'Node', name, uid: metadata?.uid ?? '' };
    return { namespace: LEASE_NAMESPACE, name, ownerReferences: [owner] };
  }

  async #report(facts: NodeFacts): Promise<void> {
    const { client, clock } = this.#options;
    const { status } = await client.get(resources.nodes, { name: facts.name });
    const { conditions } = buildNodeStatus(facts, status, clock.now());
    const body = { status: { conditions } };
    const patch = { type: 'strategic' as const, body };
    await client.patch(resources.nodes, { name: facts.name }, patch, { subresource: 'status' });
  }
}
