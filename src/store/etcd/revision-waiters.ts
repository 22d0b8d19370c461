import type { Clock } from '../../kube/clock.ts';
import { StoreUnavailableError } from '../store.ts';

interface Waiter {
  readonly revision: number;
  readonly settle: (error?: StoreUnavailableError) => void;
}

/** Who waits until the mirror shows a revision. */
export class RevisionWaiters {
  readonly #clock: Clock;
  #waiters: Waiter[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when `reached` was called with this revision or a later one; rejects after `timeoutMs`. */
  wait(revision: number, timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (error?: StoreUnavailableError): void => {
      timer[Symbol.dispose]();
      if (error) reject(error);
      else resolve();
    };
    const waiter: Waiter = { revision, settle };
    const timer = this.#clock.schedule(timeoutMs, () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
      settle(
        new StoreUnavailableError(`the watch of etcd did not bring revision ${revision} within ${timeoutMs} ms`, {
          uncertain: true,
        }),
      );
    });
    this.#waiters.push(waiter);
    return promise;
  }

  reached(revision: number): void {
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.revision <= revision);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > revision);
    for (const { settle } of due) settle();
  }

  end(error: StoreUnavailableError): void {
    for (const { settle } of this.#waiters.splice(0)) settle(error);
  }
}
