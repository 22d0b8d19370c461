import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import { EventRecorder } from '../kube/event-recorder.ts';
import type { Binding, Pod, PodCondition } from '../kube/generated/types.ts';
import type { SharedInformers } from '../kube/informers.ts';
import { keyOf, resources } from '../kube/resources.ts';
import { isSemanticallyEqual } from '../kube/semantic-equality.ts';
import { isReason } from '../kube/status.ts';
import { timeOf, timestampOf } from '../kube/timestamp.ts';
import { chooseNode } from './choose-node.ts';
import { ClusterState } from './cluster-state.ts';

export interface SchedulerOptions {
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  readonly clock: Clock;
  /** Decides between equally good nodes. */
  readonly random: Random;
  /** Told of what failed and will be tried again; `key` is the pod's. */
  readonly onError: (failure: { readonly key: string; readonly error: unknown }) => void;
  /** Only pods with this schedulerName; default `default-scheduler`. */
  readonly schedulerName?: string | undefined;
}

/** Starts placing pods; resolves when the first lists of pods, nodes and namespaces are in. */
export async function startScheduler(options: SchedulerOptions): Promise<AsyncDisposable> {
  const scheduler = new Scheduler(options);
  await scheduler.start();
  return { [Symbol.asyncDispose]: async () => scheduler[Symbol.dispose]() };
}

/** Pods placed before other work gets a turn. */
const BATCH = 200;
/** Pods that fit nowhere are looked at again no more often than this, however much changes. */
const RETRY_MS = 50;
const BIND_RETRY_MS = 100;

class Scheduler implements Disposable {
  readonly #options: SchedulerOptions;
  readonly #state = new ClusterState();
  readonly #recorder: EventRecorder;
  /** Pods that wait for their turn, by key. */
  readonly #active = new Map<string, Pod>();
  /** Pods that fit nowhere as things are. */
  readonly #unschedulable = new Map<string, Pod>();
  /** Uids of pods that are being bound or were, and whose new state has not come back yet. */
  readonly #assumed = new Map<string, string>();
  readonly #timers = new Set<Disposable>();
  #pumping = false;
  #running = false;
  #closed = false;
  #retry: Disposable | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const { client, clock, schedulerName = 'default-scheduler', informers, onError } = options;
    this.#recorder = new EventRecorder({
      client,
      clock,
      component: schedulerName,
      onError: (error) => onError({ key: '', error }),
    });
    informers.for(resources.namespaces).onChange(({ key, current }) => {
      this.#state.setNamespace(key, current === undefined ? undefined : (current.metadata?.labels ?? {}));
    });
    informers.for(resources.nodes).onChange(({ key, current }) => {
      this.#state.setNode(key, current);
      this.#retryUnschedulable();
    });
    informers.for(resources.pods).onChange(({ key, current }) => this.#podChanged(key, current));
  }

  async start(): Promise<void> {
    const { informers } = this.#options;
    const { namespaces, nodes, pods } = resources;
    await Promise.all([informers.for(namespaces).start(), informers.for(nodes).start(), informers.for(pods).start()]);
    this.#running = true;
    this.#pump();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#retry?.[Symbol.dispose]();
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#recorder[Symbol.dispose]();
  }

  #podChanged(key: string, pod: Pod | undefined): void {
    this.#active.delete(key);
    const waited = this.#unschedulable.get(key);
    this.#unschedulable.delete(key);
    const assumed = this.#assumed.get(key);
    if (pod !== undefined && assumed === pod.metadata?.uid && !pod.spec?.nodeName && !pod.metadata?.deletionTimestamp)
      return;
    this.#assumed.delete(key);
    this.#state.setPod(key, pod);
    if (pod !== undefined && this.#isMine(pod)) {
      // Our own note that it fits nowhere is no reason to look again.
      if (waited !== undefined && isSamePod(waited, pod)) this.#unschedulable.set(key, pod);
      else this.#active.set(key, pod);
      this.#pump();
    } else this.#retryUnschedulable();
  }

  #isMine({ spec, metadata, status }: Pod): boolean {
    const { schedulerName = 'default-scheduler' } = this.#options;
    return (
      !spec?.nodeName &&
      metadata?.deletionTimestamp === undefined &&
      (spec?.schedulerName ?? 'default-scheduler') === schedulerName &&
      !spec?.schedulingGates?.length &&
      status?.phase !== 'Succeeded' &&
      status?.phase !== 'Failed'
    );
  }

  #pump(): void {
    if (this.#pumping || !this.#running || this.#closed || this.#active.size === 0) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.#placeBatch();
      if (this.#active.size > 0) this.#later(0, () => this.#pump());
    });
  }

  #placeBatch(): void {
    if (this.#closed) return;
    const waiting = [...this.#active.values()].sort(byPriority);
    for (const pod of waiting.slice(0, BATCH)) {
      const key = keyOf(pod);
      this.#active.delete(key);
      const choice = chooseNode(pod, this.#state, this.#options.random);
      if ('node' in choice) {
        this.#assumed.set(key, pod.metadata?.uid ?? '');
        this.#state.assume(pod, choice.node);
        void this.#bind(pod, choice.node);
      } else {
        this.#unschedulable.set(key, pod);
        void this.#noteFailure(pod, choice.failure);
      }
    }
  }

  async #bind(pod: Pod, node: string): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata ?? {};
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace, name, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    try {
      await this.#options.client.create(resources.pods, binding, { subresource: 'binding' });
      this.#tell(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      this.#bindFailed(pod, error);
    }
  }

  // Gone or bound by somebody else in the meantime: its event says so. Anything else is tried again with what is known then.
  #bindFailed(pod: Pod, error: unknown): void {
    if (this.#closed) return;
    const key = keyOf(pod);
    const { informers, onError } = this.#options;
    if (this.#assumed.get(key) === pod.metadata?.uid) {
      this.#assumed.delete(key);
      this.#state.setPod(key, informers.for(resources.pods).get(key));
    }
    if (isReason(error, 'NotFound') || isReason(error, 'Conflict')) return;
    onError({ key, error });
    this.#tell(
      pod,
      'Warning',
      'FailedScheduling',
      `binding rejected: ${error instanceof Error ? error.message : String(error)}`,
    );
    this.#later(BIND_RETRY_MS, () => this.#podChanged(key, informers.for(resources.pods).get(key)));
  }

  async #noteFailure(pod: Pod, message: string): Promise<void> {
    const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (before?.status === 'False' && before.message === message) return;
    this.#tell(pod, 'Warning', 'FailedScheduling', message);
    const { client, clock, onError } = this.#options;
    const { namespace, name = '', uid } = pod.metadata ?? {};
    const lastTransitionTime = before?.status === 'False' ? before.lastTransitionTime : timestampOf(clock.now());
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime,
    };
    const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), condition];
    const body = { metadata: { uid }, status: { conditions } };
    try {
      await client.patch(resources.pods, { namespace, name }, { type: 'merge', body }, { subresource: 'status' });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict') && !this.#closed)
        onError({ key: keyOf(pod), error });
    }
  }

  #retryUnschedulable(): void {
    if (this.#unschedulable.size === 0 || this.#retry !== undefined || this.#closed) return;
    this.#activateUnschedulable();
    this.#retry = this.#options.clock.schedule(RETRY_MS, () => {
      this.#retry = undefined;
      this.#activateUnschedulable();
    });
  }

  #activateUnschedulable(): void {
    for (const [key, pod] of this.#unschedulable) this.#active.set(key, pod);
    this.#unschedulable.clear();
    this.#pump();
  }

  #later(ms: number, callback: () => void): void {
    const timer = this.#options.clock.schedule(ms, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }

  #tell(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.record(resources.pods, pod, { type, reason, message });
  }
}

function byPriority(a: Pod, b: Pod): number {
  const priority = (b.spec?.priority ?? 0) - (a.spec?.priority ?? 0);
  return priority || (timeOf(a.metadata?.creationTimestamp) ?? 0) - (timeOf(b.metadata?.creationTimestamp) ?? 0);
}

function isSamePod(a: Pod, b: Pod): boolean {
  return isSemanticallyEqual(a.spec, b.spec) && isSemanticallyEqual(a.metadata?.labels, b.metadata?.labels);
}
