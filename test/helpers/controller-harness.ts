import type { ControllerContext, ControllerFailure, Worker } from '../../src/controllers/loop/controller-context.ts';
import { createSharedIndexes } from '../../src/controllers/loop/shared-indexes.ts';
import type { Pod } from '../../src/kube/generated/types.ts';
import { SharedInformers } from '../../src/kube/informers.ts';
import { keyOf, resources } from '../../src/kube/resources.ts';
import { timestampOf } from '../../src/kube/timestamp.ts';
import { FakeKubeClient } from './fake-kube-client.ts';
import { seededRandom } from './seeded-random.ts';
import { SteppedClock, settled } from './stepped-clock.ts';

/** Controllers on an API in memory, with a clock that stands still until it is stepped. */
export class ControllerHarness implements Disposable {
  readonly clock = new SteppedClock();
  readonly client = new FakeKubeClient(this.clock);
  readonly informers = new SharedInformers(this.client, this.clock);
  readonly failures: ControllerFailure[] = [];
  readonly workers = new Set<Worker>();
  readonly #running: Disposable[] = [];

  /** Starts controllers and resolves when they have nothing left to do. */
  async start(...controllers: readonly ((context: ControllerContext) => Disposable)[]): Promise<this> {
    const ready = Promise.withResolvers<void>();
    const context: ControllerContext = {
      client: this.client,
      informers: this.informers,
      indexes: createSharedIndexes(this.informers),
      clock: this.clock,
      random: seededRandom(),
      onError: (failure) => this.failures.push(failure),
      synced: ready.promise,
      workers: this.workers,
    };
    for (const controller of controllers) this.#running.push(controller(context));
    await this.informers.start();
    ready.resolve();
    await this.settle();
    return this;
  }

  /** Lets everything that is under way come to rest without time passing; throws when it does not come to rest. */
  async settle(): Promise<void> {
    const start = this.client.actions.length;
    for (let writes = -1; writes !== this.client.actions.length; ) {
      writes = this.client.actions.length;
      if (writes - start > 20_000) throw new Error(`no rest: ${JSON.stringify(this.client.actions.slice(-4))}`);
      await settled(6);
    }
  }

  /** Lets events be written (they wait a moment) and returns their texts: `REASON MESSAGE`. */
  async events(): Promise<readonly string[]> {
    await this.clock.step(50);
    return this.client.all(resources.events).map(({ reason, message }) => `${reason} ${message}`);
  }

  [Symbol.dispose](): void {
    for (const controller of this.#running) controller[Symbol.dispose]();
    this.informers[Symbol.dispose]();
  }
}

export interface FakeKubeletOptions {
  /** Whether a pod becomes ready by itself; default yes. */
  readonly ready?: (pod: Pod) => boolean;
  readonly node?: string;
  /** True when a scheduler gives pods their node; default: the kubelet does. */
  readonly waitForNode?: boolean;
}

/** Stands in for scheduler and kubelet: pods get a node, an address and readiness at once, and go when they are deleted. */
export function startFakeKubelet(
  { client, informers, clock }: ControllerHarness,
  options: FakeKubeletOptions = {},
): void {
  const { ready = () => true, node = 'node-1', waitForNode = false } = options;
  let lastIP = 1;
  informers.for(resources.pods).onChange(({ current: pod }) => {
    if (pod === undefined) return;
    if (pod.metadata?.deletionTimestamp !== undefined) {
      if (!pod.metadata.finalizers?.length) client.remove(resources.pods, keyOf(pod));
    } else if (pod.status?.podIP === undefined && (pod.spec?.nodeName || !waitForNode)) {
      lastIP++;
      const podIP = `10.244.${lastIP >> 8}.${lastIP & 255}`;
      const condition = {
        type: 'Ready',
        status: ready(pod) ? 'True' : 'False',
        lastTransitionTime: timestampOf(clock.now()),
      };
      const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions: [condition] };
      client.put(resources.pods, { ...pod, spec: { ...pod.spec!, nodeName: pod.spec?.nodeName ?? node }, status });
    }
  });
}
