import { EventRecorder } from '../../kube/event-recorder.ts';
import type { Informer } from '../../kube/informer.ts';
import { type KubeObject, keyOf, type ResourceType } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { ApiStatusError, isReason } from '../../kube/status.ts';
import { WorkQueue } from '../../kube/work-queue.ts';
import type { ControllerContext, Worker } from './controller-context.ts';
import { WriteFence } from './write-fence.ts';

export interface ControllerLoopOptions {
  readonly name: string;
  /** Brings the world to what the object says; called again when something it depends on changes, or when it rejects. */
  readonly reconcile: (key: string) => Promise<void>;
  /** Name under which its events appear; default `NAME-controller`. */
  readonly component?: string;
  readonly concurrency?: number;
  /** The share of the time that `timed` work for one key may take while changes keep coming; default 0.03. */
  readonly timeShare?: number;
}

// So often a race (a stale version, an object that just went) may repeat before it is told as a failure.
const QUIET_RACES = 10;
const FENCE_RECHECK_MS = 250;
// A key that is reconciled more often than this in a second is at odds with somebody: it must not take all the time there is.
const HOT_RUNS = 500;
const HOT_WINDOW_MS = 1000;
const HOT_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 400;
// When no further change has come for so long, a pause ends early: it is for storms.
const QUIET_MS = 25;
// Work so short is not paced: a small Service's endpoints follow each change at once.
const SHORT_MS = 2;
// What is put off by less than this is work at hand; the rest is for a later day.
const SOON_MS = 1000;

interface Timer {
  readonly at: number;
  readonly handle: Disposable;
  /** Set because the key had to wait, not because it asked to. */
  readonly isHold: boolean;
}

/** The one loop that all controllers share: keys in from informers, one reconcile for each at a time, retries with backoff. */
export class ControllerLoop implements Worker, Disposable {
  readonly fence = new WriteFence();
  readonly recorder: EventRecorder;
  readonly #context: ControllerContext;
  readonly #options: ControllerLoopOptions;
  readonly #queue: WorkQueue;
  readonly #timers = new Map<string, Timer>();
  readonly #races = new Map<string, number>();
  #runs = { since: 0, ofKey: new Map<string, number>() };
  /** When a key may be reconciled again, and when it last was asked for. */
  readonly #pauses = new Map<string, { readonly until: number; asked: number }>();
  #closed = false;

  constructor(context: ControllerContext, options: ControllerLoopOptions) {
    this.#context = context;
    this.#options = options;
    const { name, component = `${name}-controller`, concurrency = 16 } = options;
    const { client, clock } = context;
    const onError = (error: unknown): void => context.onError({ controller: name, key: '', error });
    this.recorder = new EventRecorder({ client, clock, component, onError });
    this.#queue = new WorkQueue({
      clock,
      concurrency,
      reconcile: (key) => this.#reconcile(key),
      onError: (key, error) => this.#failed(key, error),
    });
    context.workers.add(this);
  }

  /** Queues keys for every change of the informer's objects; `keysOf` sees the state before and the state after. */
  watch<T extends KubeObject>(informer: Informer<T>, keysOf: (object: T) => Iterable<string>): this {
    informer.onChange(({ previous, current }) => {
      const keys = new Set<string>(current === undefined ? [] : keysOf(current));
      if (previous !== undefined) for (const key of keysOf(previous)) keys.add(key);
      for (const key of keys) this.enqueue(key);
    });
    return this;
  }

  get isIdle(): boolean {
    if (this.#queue.depth > 0 || this.#queue.retriesWithin(SOON_MS)) return false;
    const soon = this.#context.clock.now() + SOON_MS;
    return [...this.#timers.values()].every(({ at }) => at > soon);
  }

  enqueue(key: string): void {
    const pause = this.#pauses.get(key);
    if (pause !== undefined) pause.asked = this.#context.clock.now();
    this.#queue.add(key);
  }

  /** Queues the key after `ms`, unless it is to be queued earlier anyhow. */
  enqueueAfter(key: string, ms: number): void {
    this.#schedule(key, ms, false);
  }

  #schedule(key: string, ms: number, isHold: boolean): void {
    if (this.#closed) return;
    const at = this.#context.clock.now() + Math.max(0, ms);
    const waiting = this.#timers.get(key);
    if (waiting !== undefined && waiting.at <= at) return;
    waiting?.handle[Symbol.dispose]();
    const handle = this.#context.clock.schedule(ms, () => {
      this.#timers.delete(key);
      this.#queue.add(key);
    });
    this.#timers.set(key, { at, handle, isHold });
  }

  /**
   * Does work that grows with the number of pods. When it takes long the key pauses until it has used no more than its share
   * of the time, or until changes cease: a thousand pods that become ready one after the other must not be looked at all anew
   * for each of them.
   */
  timed<R>(key: string, work: () => R): R {
    const start = this.#context.clock.now();
    const result = work();
    this.#pace(key, start);
    return result;
  }

  /** `timed` for writes: counts until `work` settles. */
  async timedWrite<R>(key: string, work: () => Promise<R>): Promise<R> {
    const start = this.#context.clock.now();
    try {
      return await work();
    } finally {
      this.#pace(key, start);
    }
  }

  /** Writes the status of an object where it has another one; nothing more is decided about it before that was seen. */
  async writeStatus<T extends KubeObject & { readonly status?: unknown }>(
    type: ResourceType<T>,
    object: T,
    status: NonNullable<T['status']>,
  ): Promise<void> {
    if (isSemanticallyEqual(status, object.status)) return;
    const { client, informers } = this.#context;
    const written = await client.update(type, { ...object, status }, { subresource: 'status' });
    this.fence.expectWritten(keyOf(object), informers.for(type), written);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#context.workers.delete(this);
    for (const { handle } of this.#timers.values()) handle[Symbol.dispose]();
    this.#timers.clear();
    this.#queue[Symbol.dispose]();
    this.recorder[Symbol.dispose]();
  }

  async #reconcile(key: string): Promise<void> {
    await this.#context.synced;
    if (this.#closed) return;
    // What was written comes back as an event that queues the key; the timer is for a watch that was lost meanwhile.
    if (!this.fence.isClear(key)) return this.#schedule(key, FENCE_RECHECK_MS, true);
    if (this.#isHot(key)) return this.#schedule(key, HOT_PAUSE_MS, true);
    const pause = this.#pauseOf(key);
    if (pause > 0) return this.#schedule(key, pause, true);
    this.#release(key);
    this.#pauses.delete(key);
    try {
      await this.#options.reconcile(key);
      this.#races.delete(key);
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
    }
  }

  // It may go on: what it waited for came before the time was up.
  #release(key: string): void {
    const timer = this.#timers.get(key);
    if (timer?.isHold !== true) return;
    timer.handle[Symbol.dispose]();
    this.#timers.delete(key);
  }

  #pace(key: string, start: number): void {
    const { timeShare = 0.03 } = this.#options;
    const end = this.#context.clock.now();
    if (end - start <= SHORT_MS) return;
    const { until = end, asked = end } = this.#pauses.get(key) ?? {};
    const pause = Math.max(0, until - end) + (end - start) * (1 / timeShare - 1);
    this.#pauses.set(key, { until: end + Math.min(pause, LONGEST_PAUSE_MS), asked });
  }

  // Milliseconds until the key may be looked at again.
  #pauseOf(key: string): number {
    const pause = this.#pauses.get(key);
    if (pause === undefined) return 0;
    return Math.min(pause.until, pause.asked + QUIET_MS) - this.#context.clock.now();
  }

  #isHot(key: string): boolean {
    const now = this.#context.clock.now();
    if (now - this.#runs.since >= HOT_WINDOW_MS) this.#runs = { since: now, ofKey: new Map() };
    const runs = (this.#runs.ofKey.get(key) ?? 0) + 1;
    this.#runs.ofKey.set(key, runs);
    return runs > HOT_RUNS;
  }

  #failed(key: string, error: unknown): void {
    if (isRace(error)) {
      const races = (this.#races.get(key) ?? 0) + 1;
      this.#races.set(key, races);
      if (races < QUIET_RACES) return;
    }
    this.#context.onError({ controller: this.#options.name, key, error });
  }
}

/** True when a creation was refused because the namespace is being deleted. */
export function isNamespaceTerminating(error: unknown): boolean {
  if (!(error instanceof ApiStatusError) || error.reason !== 'Forbidden') return false;
  return error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false;
}

function isRace(error: unknown): boolean {
  return isReason(error, 'Conflict') || isReason(error, 'AlreadyExists') || isReason(error, 'NotFound');
}
