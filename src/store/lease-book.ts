import { TowtankError } from '../errors/towtank-error.ts';
import type { Clock } from '../kube/clock.ts';
import type { StoreEvent } from './store.ts';

interface Lease {
  readonly ttlSeconds: number;
  readonly keys: Set<string>;
  timer: Disposable;
}

/** The leases of an engine that keeps them itself: who has which keys, and when it ends. */
export class LeaseBook implements Disposable {
  readonly #clock: Clock;
  readonly #onExpired: (lease: string, keys: readonly string[]) => void;
  readonly #leases = new Map<string, Lease>();
  #lastId = 0;

  /** `onExpired` is called once for each lease that ends by time, with the keys that still hang on it. */
  constructor(clock: Clock, onExpired: (lease: string, keys: readonly string[]) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** An id that no lease has; those of a restored etcd can be larger than any number. */
  freshId(): string {
    return String(++this.#lastId);
  }

  grant(id: string, ttlSeconds: number): void {
    if (Number.isSafeInteger(Number(id))) this.#lastId = Math.max(this.#lastId, Number(id));
    this.#leases.set(id, { ttlSeconds, keys: new Set(), timer: this.#startTimer(id, ttlSeconds) });
  }

  /** Throws ERR_STORE_LEASE when there is no such lease. */
  check(id: string): void {
    if (!this.#leases.has(id)) throw leaseNotFound(id);
  }

  keepAlive(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw leaseNotFound(id);
    lease.timer[Symbol.dispose]();
    lease.timer = this.#startTimer(id, lease.ttlSeconds);
  }

  /** Forgets the lease and returns the keys that hung on it. */
  revoke(id: string): readonly string[] {
    const lease = this.#leases.get(id);
    if (lease === undefined) return [];
    lease.timer[Symbol.dispose]();
    this.#leases.delete(id);
    return [...lease.keys];
  }

  /** Keeps the keys of each lease up to date. */
  follow(event: StoreEvent): void {
    const [before, after] = [event.previous?.lease, event.current?.lease];
    if (before === after) return;
    if (before !== undefined) this.#leases.get(before)?.keys.delete(event.key);
    if (after !== undefined) this.#leases.get(after)?.keys.add(event.key);
  }

  /** All leases with their time to live. */
  list(): { readonly id: string; readonly ttlSeconds: number }[] {
    return [...this.#leases].map(([id, { ttlSeconds }]) => ({ id, ttlSeconds }));
  }

  [Symbol.dispose](): void {
    for (const lease of this.#leases.values()) lease.timer[Symbol.dispose]();
    this.#leases.clear();
  }

  #startTimer(id: string, ttlSeconds: number): Disposable {
    return this.#clock.schedule(ttlSeconds * 1000, () => this.#onExpired(id, this.revoke(id)));
  }
}

/** ERR_STORE_LEASE: the lease expired or never was. */
export function leaseNotFound(id: string): TowtankError {
  return new TowtankError({
    code: 'ERR_STORE_LEASE',
    message: `lease ${id} does not exist or has expired`,
    hint: 'Grant a new lease.',
  });
}
