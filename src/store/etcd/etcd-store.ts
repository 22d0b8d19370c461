import type { TowtankError } from '../../errors/towtank-error.ts';
import { leaseNotFound } from '../lease-book.ts';
import { checkOperations } from '../plan-transaction.ts';
import {
  type KeyValue,
  type Store,
  StoreConflictError,
  StoreFutureRevisionError,
  type StoreSnapshot,
  StoreUnavailableError,
  type WriteOperation,
  type WriteResult,
} from '../store.ts';
import { ViewReads } from '../view-reads.ts';
import { EtcdClient } from './etcd-client.ts';
import { etcdError, isCompacted } from './etcd-error.ts';
import { EtcdLeases } from './etcd-leases.ts';
import { EtcdMirror } from './etcd-mirror.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { decodeTransaction, encodeCompaction, encodeTransaction, type TransactionResponse } from './messages.ts';
import { RestoreRun } from './restore-run.ts';

/**
 * The engine of clusters with several control planes: an etcd, or a cluster of them, holds the state, and each store a mirror
 * of it. Writes of others show when their events arrive; after `barrier()` all that anybody was told is shown.
 */
export class EtcdStore extends ViewReads implements Store {
  readonly engine = 'etcd';
  readonly failed: Promise<TowtankError>;
  readonly #client: EtcdClient;
  readonly #mirror: EtcdMirror;
  readonly #leases: EtcdLeases;
  readonly #prefix: string;
  readonly #inFlight = new Set<Promise<unknown>>();
  #barrier: Promise<void> | undefined;
  #nextBarrier: Promise<void> | undefined;
  #restoring: Promise<void> | undefined;
  #closed = false;

  private constructor(client: EtcdClient, mirror: EtcdMirror, prefix: string) {
    super(mirror.view);
    this.#client = client;
    this.#mirror = mirror;
    this.#leases = new EtcdLeases(client);
    this.#prefix = prefix;
    this.failed = mirror.failed;
  }

  /** Connects and loads everything. Rejects with ERR_STORE_UNAVAILABLE when no member answers or the user is refused. */
  static async open(options: EtcdOptions): Promise<EtcdStore> {
    const client = new EtcdClient(options);
    try {
      return new EtcdStore(client, await EtcdMirror.open(client, options), options.prefix ?? '');
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  // One question is under way at a time; all who come meanwhile share the next, which is asked after they came.
  barrier(): Promise<void> {
    this.#nextBarrier ??= this.#startBarrier(this.#barrier);
    return this.#nextBarrier;
  }

  commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    const result = this.#commit(operations);
    this.#inFlight.add(result);
    const done = (): void => void this.#inFlight.delete(result);
    result.then(done, done);
    return result;
  }

  async grantLease(ttlSeconds: number): Promise<string> {
    this.#checkOpen();
    return this.#leases.grant(ttlSeconds);
  }

  async keepAlive(lease: string): Promise<void> {
    this.#checkOpen();
    await this.#leases.keepAlive(lease);
  }

  async revokeLease(lease: string): Promise<void> {
    this.#checkOpen();
    await this.#mirror.shown(await this.#leases.revoke(lease));
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    const { view } = this;
    if (revision > view.revision) throw new StoreFutureRevisionError(revision, view.revision);
    if (revision <= view.compactedRevision) return;
    // They still look their result up in the history.
    await Promise.allSettled(this.#inFlight);
    try {
      await this.#client.read('/etcdserverpb.KV/Compact', encodeCompaction(revision));
    } catch (error) {
      // Another server did it already.
      if (!isCompacted(error)) throw etcdError(error);
    }
    view.compact(revision);
  }

  async snapshot(): Promise<StoreSnapshot> {
    const { view } = this;
    const { revision } = view;
    const entries = view.entries();
    const leases = await this.#leases.list(new Set(entries.flatMap(({ lease }) => lease ?? [])));
    const alive = new Set(leases.map(({ id }) => id));
    // A key whose lease is over is only not deleted yet.
    return { revision, leases, entries: entries.filter(({ lease }) => lease === undefined || alive.has(lease)) };
  }

  async restore(snapshot: StoreSnapshot): Promise<void> {
    this.#checkOpen();
    const entries: KeyValue[] = [];
    for await (const entry of snapshot.entries) entries.push(entry);
    const run = new RestoreRun(this.#client, this.#leases, this.#prefix);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#restoring = promise;
    await Promise.allSettled(this.#inFlight);
    try {
      await this.#mirror.replace(() => run.write({ ...snapshot, entries }, this.revision));
    } catch (error) {
      throw etcdError(error);
    } finally {
      this.#restoring = undefined;
      resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#inFlight);
    await this.#mirror[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
    this.view.endWatches();
  }

  async #startBarrier(before: Promise<void> | undefined): Promise<void> {
    // Its own callers were told how it ended.
    await before?.catch(() => {});
    const barrier = this.#mirror.catchUp().catch((error: unknown) => {
      throw etcdError(error);
    });
    this.#barrier = barrier;
    this.#nextBarrier = undefined;
    await barrier;
  }

  async #commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    this.#checkOpen();
    checkOperations(operations);
    if (this.#restoring) await this.#restoring;
    const response = await this.#transact(operations);
    const { revision } = response.header;
    if (!response.succeeded) throw await this.#conflict(operations, response);
    if (!operations.some(({ value }, index) => value !== undefined || response.results[index]?.deleted !== 0)) {
      await this.#mirror.shown(revision);
      return { revision, current: operations.map(() => undefined), previous: operations.map(() => undefined) };
    }
    this.#mirror.acknowledge(revision, operations);
    await this.#mirror.shown(revision);
    return this.#result(operations, revision);
  }

  async #transact(operations: readonly WriteOperation[]): Promise<TransactionResponse> {
    try {
      const request = encodeTransaction(operations, this.#prefix);
      return decodeTransaction(await this.#client.write('/etcdserverpb.KV/Txn', request));
    } catch (error) {
      if (String(error).includes('requested lease not found'))
        throw leaseNotFound(operations.flatMap(({ lease }) => lease ?? []).join(', '));
      throw etcdError(error);
    }
  }

  async #conflict(operations: readonly WriteOperation[], { header, results }: TransactionResponse): Promise<Error> {
    await this.#mirror.shown(header.revision);
    const expected = operations.filter(({ expect }) => expect !== undefined);
    const index = expected.findIndex(({ expect }, at) => expect !== (results[at]?.item?.modRevision ?? 0));
    const { key, expect = 0 } = expected[index]!;
    const item = results[index]?.item;
    const shown = this.get(key);
    const found = shown?.modRevision === item?.modRevision ? shown : item && { ...item, key, decoded: undefined };
    return new StoreConflictError(key, expect, found);
  }

  #result(operations: readonly WriteOperation[], revision: number): WriteResult {
    const events = new Map(this.view.eventsOf(revision).map((event) => [event.key, event]));
    if (events.size === 0)
      throw new StoreUnavailableError('the state was loaded anew while the write was acknowledged', {
        uncertain: true,
      });
    return {
      revision,
      current: operations.map(({ key }) => events.get(key)?.current),
      previous: operations.map(({ key }) => events.get(key)?.previous),
    };
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreUnavailableError('the store is closed');
  }
}
