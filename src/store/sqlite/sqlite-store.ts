import type { TowtankError } from '../../errors/towtank-error.ts';
import type { Clock } from '../../kube/clock.ts';
import { LeaseBook } from '../lease-book.ts';
import {
  type KeyValue,
  type Store,
  type StoreEvent,
  type StoreSnapshot,
  StoreUnavailableError,
  type WriteOperation,
  type WriteResult,
} from '../store.ts';
import type { StoreView } from '../store-view.ts';
import { ViewReads } from '../view-reads.ts';
import { GroupCommit } from './group-commit.ts';
import { type DatabaseFacts, loadDatabase } from './load-database.ts';
import { appendEvents, deleteSuperseded, setMeta } from './log-rows.ts';
import { insertLeases, ROWS_AT_ONCE, restoreSteps } from './restore-steps.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import { ViewLoader } from './view-loader.ts';
import { WriteBehind } from './write-behind.ts';

export interface SqliteStoreOptions {
  /** Path of the database file; it and its folder are made when they are not there. */
  readonly path: string;
  /** Ends leases. */
  readonly clock: Clock;
  /**
   * Writes are acknowledged before they are on the disk, until `becomeDurable`: for a cluster that is not up yet and has
   * promised nothing to anybody.
   */
  readonly isStarting?: boolean | undefined;
  /** As with the memory engine; more is kept while the store is starting, and while a compaction is at work. */
  readonly historyValues?: number | undefined;
}

const RETRY_SECONDS = 5;

/**
 * The engine of a cluster that is kept: everything in one file, every write on the disk before it is acknowledged or seen.
 * The whole state is in memory as well, so that reads never touch the file.
 */
export class SqliteStore extends ViewReads implements Store {
  readonly engine = 'sqlite';
  readonly failed: Promise<TowtankError>;
  readonly #writer: SqliteWriter;
  readonly #group: GroupCommit;
  readonly #leases: LeaseBook;
  readonly #behind: WriteBehind;
  readonly #historyValues: number;
  #isStarting: boolean;
  #isTrimming = false;
  #closed = false;

  private constructor(
    view: StoreView,
    writer: SqliteWriter,
    {
      clock,
      isStarting = false,
      historyValues = Number.POSITIVE_INFINITY,
      leases,
    }: Omit<SqliteStoreOptions, 'path'> & Pick<DatabaseFacts, 'leases'>,
  ) {
    super(view);
    this.#writer = writer;
    this.failed = writer.died;
    this.#leases = new LeaseBook(clock, (lease, keys) => void this.#expire(lease, keys));
    this.#grantAll(leases);
    for (const entry of view.entries()) this.#leases.follow(creation(entry));
    this.#isStarting = isStarting;
    this.#historyValues = historyValues;
    this.#behind = new WriteBehind((events) => writer.run([appendEvents(events)]));
    this.#group = new GroupCommit({
      read: (key) => view.get(key),
      get revision() {
        return view.revision;
      },
      check: (operations) => this.#checkLeases(operations),
      persist: (events) => this.#persist(events),
      show: (events) => this.#show(events),
    });
  }

  /** Opens the file. Rejects with ERR_STORE_CORRUPT when it is damaged, ERR_STORE_UNAVAILABLE when it is in use. */
  static async open({ path, ...options }: SqliteStoreOptions): Promise<SqliteStore> {
    const writer = new SqliteWriter();
    try {
      const loader = new ViewLoader();
      const facts = loadDatabase(path, (row, { compacted }) => loader.add(row, compacted));
      const view = loader.finish(facts);
      const lastId = await writer.open(path);
      if (lastId !== facts.lastId)
        throw new StoreUnavailableError(`another process wrote to ${path} while it was being opened`);
      const store = new SqliteStore(view, writer, { ...options, leases: facts.leases });
      // Only tidying up: what cannot be deleted now is found again when the file is opened the next time.
      store.#deleteRows(loader.superseded).catch(() => {});
      return store;
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  barrier(): undefined {
    return undefined;
  }

  async commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    this.#checkOpen();
    return this.#group.commit(operations);
  }

  /** Resolves when all that was acknowledged is on the disk; from then on every write is before it is acknowledged. */
  async becomeDurable(): Promise<void> {
    // What is decided from here on waits for the disk itself, behind what has gathered: the writer keeps the order.
    this.#isStarting = false;
    await this.#behind.flushed();
  }

  async grantLease(ttlSeconds: number): Promise<string> {
    this.#checkOpen();
    const id = this.#leases.freshId();
    await this.#writer.run([insertLeases([{ id, ttlSeconds }])]);
    this.#leases.grant(id, ttlSeconds);
    return id;
  }

  async keepAlive(lease: string): Promise<void> {
    this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: string): Promise<void> {
    this.#checkOpen();
    await this.#endLease(lease, this.#leases.revoke(lease));
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    if (revision <= this.view.compactedRevision) return;
    await this.#behind.flushed();
    const forgotten = this.view.compact(revision);
    await this.#writer.run([setMeta('compacted', revision), setMeta('revision', this.view.revision)]);
    await this.#deleteRows(forgotten);
  }

  async snapshot(): Promise<StoreSnapshot> {
    return { revision: this.view.revision, leases: this.#leases.list(), entries: this.view.entries() };
  }

  async restore(snapshot: StoreSnapshot): Promise<void> {
    this.#checkOpen();
    await this.#group.settled();
    await this.#behind.flushed();
    const revision = Math.max(this.view.revision, snapshot.revision) + 1;
    const entries: KeyValue[] = [];
    await this.#writer.runAll(restoreSteps(snapshot, revision, entries));
    for (const { id } of this.#leases.list()) this.#leases.revoke(id);
    this.#grantAll(snapshot.leases);
    for (const entry of entries) this.#leases.follow(creation(entry));
    this.view.reset(revision, entries);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leases[Symbol.dispose]();
    await this.#group.settled();
    this.view.endWatches();
    // Who waited for it was told what went wrong; there is nobody else to tell.
    await this.#behind.flushed().catch(() => {});
    await this.#writer.close();
  }

  #persist(events: readonly StoreEvent[]): Promise<void> | undefined {
    if (!this.#isStarting) return this.#persistBehind(events);
    this.#behind.add(events);
    return undefined;
  }

  // What has gathered is older, and has to be there first.
  async #persistBehind(events: readonly StoreEvent[]): Promise<void> {
    await this.#behind.flushed();
    await this.#writer.run([appendEvents(events)]);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('the store is closed');
  }

  #checkLeases(operations: readonly WriteOperation[]): void {
    for (const { lease } of operations) if (lease !== undefined) this.#leases.check(lease);
  }

  #show(events: readonly StoreEvent[]): void {
    for (const event of events) this.#leases.follow(event);
    this.view.apply(events);
    const excess = this.#isStarting || this.#isTrimming ? 0 : this.view.excess(this.#historyValues);
    if (excess > 0) void this.#trim(excess);
  }

  async #trim(revision: number): Promise<void> {
    this.#isTrimming = true;
    try {
      await this.compact(revision);
    } catch {
      // Only tidying up: memory has forgotten it, and what stays in the file is found when it is opened the next time.
    } finally {
      this.#isTrimming = false;
    }
  }

  #grantAll(leases: DatabaseFacts['leases']): void {
    for (const { id, ttlSeconds } of leases) this.#leases.grant(id, ttlSeconds);
  }

  // While the disk refuses, the keys stay and their lease is ended again later.
  async #expire(lease: string, keys: readonly string[]): Promise<void> {
    try {
      await this.#endLease(lease, keys);
    } catch {
      this.#leases.grant(lease, RETRY_SECONDS);
      for (const entry of keys.map((key) => this.view.get(key)))
        if (entry?.lease === lease) this.#leases.follow(creation(entry));
    }
  }

  // Each key gets a revision of its own, so that a watch can be resumed between any two of them.
  async #endLease(lease: string, keys: readonly string[]): Promise<void> {
    if (this.#closed) return;
    await Promise.all(keys.map((key) => this.#group.commit([{ key, value: undefined }])));
    await this.#writer.run([{ sql: 'DELETE FROM lease WHERE id = ?', rows: [[lease]] }]);
  }

  // In pieces, so that writers who come meanwhile wait for one piece at most.
  async #deleteRows(events: readonly StoreEvent[]): Promise<void> {
    for (let at = 0; at < events.length && !this.#closed; at += ROWS_AT_ONCE)
      await this.#writer.run([deleteSuperseded(events.slice(at, at + ROWS_AT_ONCE))]);
  }
}

function creation(entry: KeyValue): StoreEvent {
  return { key: entry.key, revision: entry.modRevision, current: entry, previous: undefined, shared: undefined };
}
