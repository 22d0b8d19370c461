import type { Clock } from '../../kube/clock.ts';
import type { Store } from '../../store/store.ts';

const SHARED_FOR_MS = 60_000;

interface Shared {
  readonly until: number;
  readonly lease: Promise<string>;
}

/** Leases of the store for objects that delete themselves, one for all that are written within a minute. */
export class LeasePool {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #shared = new Map<number, Shared>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A lease that lives for at least `ttlSeconds` and at most a minute longer. */
  take(ttlSeconds: number): Promise<string> {
    const now = this.#clock.now();
    const known = this.#shared.get(ttlSeconds);
    if (known && known.until > now) return known.lease;
    const lease = this.#store.grantLease(ttlSeconds + SHARED_FOR_MS / 1000);
    this.#shared.set(ttlSeconds, { until: now + SHARED_FOR_MS, lease });
    lease.catch(() => this.#shared.delete(ttlSeconds));
    return lease;
  }
}
