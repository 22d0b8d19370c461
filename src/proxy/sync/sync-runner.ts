import type { Clock } from '../../kube/clock.ts';

export interface SyncRunnerOptions {
  readonly clock: Clock;
  /** One sync; a rejection is told to onError and tried again. False: it did more than the next will, and needs no rest. */
  readonly sync: () => Promise<boolean>;
  readonly onError: (error: unknown) => void;
  /** Least time between the starts of two syncs, two may follow each other at once; undefined rests after each. */
  readonly minPeriodMs: number | undefined;
  /** Rests so many times as long as it worked while requests keep coming, once as long when they cease; default 1. */
  readonly restFactor?: number | undefined;
  /** A sync happens at least this often. */
  readonly maxPeriodMs: number;
  /** Longest wait after a failure; the first is RETRY_MS, then it doubles. */
  readonly maxRetryMs: number;
}

const RETRY_MS = 100;
const BURST = 2;
// Requests have ceased when none has come for so long: more than what controllers pause between writes to large Services.
const QUIET_MS = 500;

/**
 * Runs syncs one at a time and not too often, as kube-proxy's bounded-frequency runner: requests that come meanwhile are
 * served by one further run.
 */
export class SyncRunner implements Disposable {
  readonly #options: SyncRunnerOptions;
  #tokens = BURST;
  #refilledAt: number;
  #restUntil = 0;
  /** Until when it rests if requests keep coming. */
  #longRestUntil = 0;
  #askedAt = 0;
  #failures = 0;
  #wanted = false;
  #running: Promise<void> | undefined;
  #timer: { readonly at: number; readonly handle: Disposable } | undefined;
  #closed = false;
  #suspended = false;

  constructor(options: SyncRunnerOptions) {
    this.#options = options;
    this.#refilledAt = options.clock.now();
  }

  /** Asks for a sync as soon as it is allowed. */
  request(): void {
    if (this.#closed) return;
    this.#wanted = true;
    this.#askedAt = this.#options.clock.now();
    if (this.#running === undefined) this.#wakeAt(this.#earliest());
  }

  /** Begins no sync until `resume`. */
  suspend(): void {
    this.#suspended = true;
  }

  /** Goes on; what was asked for meanwhile is done. */
  resume(): void {
    this.#suspended = false;
    this.request();
  }

  /** Resolves when no sync runs. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.handle[Symbol.dispose]();
  }

  #wakeAt(at: number): void {
    if (this.#closed || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.handle[Symbol.dispose]();
    const delay = Math.max(0, at - this.#options.clock.now());
    this.#timer = { at, handle: this.#options.clock.schedule(delay, () => this.#start()) };
  }

  #start(): void {
    this.#timer = undefined;
    if (this.#closed || this.#suspended || this.#running !== undefined) return;
    // Another request may have come since the timer was set.
    if (this.#wanted && this.#quietAt() > this.#options.clock.now()) {
      this.#wakeAt(this.#quietAt());
      return;
    }
    this.#wanted = false;
    this.#takeToken();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#wanted) this.#wakeAt(this.#earliest());
    });
  }

  async #run(): Promise<void> {
    const { clock, sync, onError, maxPeriodMs, maxRetryMs } = this.#options;
    const startedAt = clock.now();
    let next = maxPeriodMs;
    let needsRest = true;
    try {
      needsRest = await sync();
      this.#failures = 0;
    } catch (error) {
      if (!this.#closed) onError(error);
      next = Math.min(RETRY_MS * 2 ** this.#failures++, maxRetryMs);
    }
    const now = clock.now();
    if (this.#options.minPeriodMs === undefined && needsRest) {
      const { restFactor = 1 } = this.#options;
      this.#restUntil = now + (now - startedAt);
      this.#longRestUntil = restFactor > 1 ? now + (now - startedAt) * restFactor : 0;
    }
    this.#wakeAt(now + next);
  }

  #quietAt(): number {
    return Math.min(this.#longRestUntil, this.#askedAt + QUIET_MS);
  }

  // With a fixed period: a token bucket of two that gains one token per period.
  #takeToken(): void {
    this.#refill();
    this.#tokens -= 1;
  }

  #refill(): void {
    const { clock, minPeriodMs } = this.#options;
    const now = clock.now();
    if (minPeriodMs === undefined || minPeriodMs <= 0) this.#tokens = BURST;
    else this.#tokens = Math.min(BURST, this.#tokens + (now - this.#refilledAt) / minPeriodMs);
    this.#refilledAt = now;
  }

  #earliest(): number {
    this.#refill();
    const missing = Math.max(0, 1 - this.#tokens);
    return Math.max(
      this.#restUntil,
      this.#quietAt(),
      this.#options.clock.now() + missing * (this.#options.minPeriodMs ?? 0),
    );
  }
}
