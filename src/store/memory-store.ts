import type { TowtankError } from '../errors/towtank-error.ts';
import type { Clock } from '../kube/clock.ts';
import { LeaseBook } from './lease-book.ts';
import { planTransaction } from './plan-transaction.ts';
import {
  type KeyValue,
  type Store,
  type StoreSnapshot,
  StoreUnavailableError,
  type WriteOperation,
  type WriteResult,
} from './store.ts';
import { StoreView } from './store-view.ts';
import { ViewReads } from './view-reads.ts';

export interface MemoryStoreOptions {
  /** Ends leases. */
  readonly clock: Clock;
  /**
   * Of how many values (some forty bytes each) the history may be made: the oldest is compacted when it is more. Without it
   * everything since the last compaction is kept.
   */
  readonly historyValues?: number | undefined;
}

/** The engine for tests and labs that are thrown away: everything is lost with the process. */
export class MemoryStore extends ViewReads implements Store {
  readonly engine = 'memory';
  readonly failed: Promise<TowtankError> = new Promise(() => {});
  readonly #leases: LeaseBook;
  readonly #historyValues: number;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    super(new StoreView());
    this.#historyValues = options.historyValues ?? Number.POSITIVE_INFINITY;
    this.#leases = new LeaseBook(options.clock, (_lease, keys) => this.#deleteAll(keys));
  }

  barrier(): undefined {
    return undefined;
  }

  commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    try {
      return Promise.resolve(this.#commit(operations));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  grantLease(ttlSeconds: number): Promise<string> {
    const id = this.#leases.freshId();
    this.#leases.grant(id, ttlSeconds);
    return Promise.resolve(id);
  }

  async keepAlive(lease: string): Promise<void> {
    this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: string): Promise<void> {
    this.#deleteAll(this.#leases.revoke(lease));
  }

  async compact(revision: number): Promise<void> {
    this.view.compact(revision);
  }

  async snapshot(): Promise<StoreSnapshot> {
    return { revision: this.view.revision, leases: this.#leases.list(), entries: this.view.entries() };
  }

  async restore(snapshot: StoreSnapshot): Promise<void> {
    const entries: KeyValue[] = [];
    for await (const entry of snapshot.entries) entries.push(entry);
    for (const { id } of this.#leases.list()) this.#leases.revoke(id);
    for (const { id, ttlSeconds } of snapshot.leases) this.#leases.grant(id, ttlSeconds);
    for (const entry of entries) this.#leases.follow({ ...change(entry), previous: undefined });
    this.view.reset(Math.max(this.view.revision, snapshot.revision) + 1, entries);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#leases[Symbol.dispose]();
    this.view.endWatches();
  }

  #commit(operations: readonly WriteOperation[]): WriteResult {
    if (this.#closed) throw new StoreUnavailableError('the store is closed');
    for (const { lease } of operations) if (lease !== undefined) this.#leases.check(lease);
    const { events, result } = planTransaction(operations, (key) => this.view.get(key), this.view.revision + 1);
    for (const event of events) this.#leases.follow(event);
    this.view.apply(events);
    const excess = this.view.excess(this.#historyValues);
    if (excess > 0) this.view.compact(excess);
    return result;
  }

  // Each key gets a revision of its own, so that a watch can be resumed between any two of them.
  #deleteAll(keys: readonly string[]): void {
    for (const key of keys) this.#commit([{ key, value: undefined }]);
  }
}

const change = (entry: KeyValue) => ({
  key: entry.key,
  revision: entry.modRevision,
  current: entry,
  shared: undefined,
});
