import type { Clock } from './clock.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Handles one key; a rejection puts the key back with backoff. */
  readonly reconcile: (key: string) => Promise<void>;
  /** Told of each rejection: the one place where a controller's failure becomes visible. */
  readonly onError: (key: string, error: unknown) => void;
  /** How many keys are handled at once; one key never runs twice at once. Default 8. */
  readonly concurrency?: number;
  /** First retry after this many milliseconds, doubling up to maxBackoffMs. Defaults 5 and 5000. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
}

/** Keys to reconcile, as client-go's rate-limited work queue: duplicates merge, a key added while it runs runs again after. */
export class WorkQueue implements Disposable {
  readonly #options: Required<WorkQueueOptions>;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Set<Disposable>();
  #scheduled = false;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = { concurrency: 8, backoffMs: 5, maxBackoffMs: 5000, ...options };
  }

  /** Number of keys that wait, run or are to run again; 0 means idle (delayed keys not counted). */
  get depth(): number {
    return this.#waiting.size + this.#running.size + this.#again.size;
  }

  /** True when a key that was rejected waits for so long or less until it is tried again. */
  retriesWithin(ms: number): boolean {
    return [...this.#failures.values()].some((failures) => this.#backoff(failures - 1) <= ms);
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#pump();
  }

  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    const timer = this.#options.clock.schedule(ms, () => {
      this.#timers.delete(timer);
      this.add(key);
    });
    this.#timers.add(timer);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const timer of this.#timers) timer[Symbol.dispose]();
    this.#timers.clear();
  }

  // Keys added in one turn of the event loop are handled after it: a burst of changes to one object costs one reconcile.
  #pump(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const key of this.#waiting) {
        if (this.#running.size >= this.#options.concurrency) break;
        this.#waiting.delete(key);
        this.#running.add(key);
        void this.#run(key);
      }
    });
  }

  #backoff(failures: number): number {
    return Math.min(this.#options.backoffMs * 2 ** failures, this.#options.maxBackoffMs);
  }

  async #run(key: string): Promise<void> {
    try {
      await this.#options.reconcile(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      if (!this.#closed) this.#options.onError(key, error);
      this.addAfter(key, this.#backoff(failures));
    } finally {
      this.#running.delete(key);
      if (this.#again.delete(key) && !this.#closed) this.#waiting.add(key);
      this.#pump();
    }
  }
}
