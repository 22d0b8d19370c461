import type { TowtankError } from '../../errors/towtank-error.ts';
import { planTransaction } from '../plan-transaction.ts';
import { type KeyValue, StoreUnavailableError, type WriteOperation } from '../store.ts';
import { StoreView } from '../store-view.ts';
import type { EtcdClient } from './etcd-client.ts';
import { etcdError, isCompacted, isFinal } from './etcd-error.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { eventsAfter, versionOf } from './key-versions.ts';
import { loadKeys, readHeader, readRange } from './load-keys.ts';
import {
  decodeWatch,
  type EtcdKeyValue,
  encodeWatch,
  type KeyRange,
  keysUnder,
  type WatchResponse,
} from './messages.ts';
import { RevisionWaiters } from './revision-waiters.ts';

const SHOW_TIMEOUT_MS = 5000;
const RETRY_MS = { first: 50, last: 1000 } as const;

/** How a watch ended: by what was said, or because what it starts from is compacted. */
type WatchEnd = { readonly type: 'compacted' } | { readonly type: 'lost'; readonly error: unknown };

/**
 * Keeps a StoreView equal to the keys of an etcd: loads them all, then follows by a watch, across lost connections and
 * members. When etcd has compacted what comes next, it loads anew and ends all watches with ERR_STORE_COMPACTED.
 */
export class EtcdMirror implements AsyncDisposable {
  readonly view = new StoreView();
  /** Resolves when there is no sense in trying again. */
  readonly failed: Promise<TowtankError>;
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #range: KeyRange;
  readonly #options: EtcdOptions;
  readonly #waiters: RevisionWaiters;
  // Acknowledged transactions of this process whose turn has not come, by revision.
  readonly #own = new Map<number, readonly WriteOperation[]>();
  readonly #fail: (error: TowtankError) => void;
  readonly #stop = new AbortController();
  #clusterId = 0;
  // What is acknowledged meanwhile comes after what is loaded, or is part of it.
  #isLoading = false;
  #paused: Promise<void> | undefined;
  #endWatch: ((end: WatchEnd) => void) | undefined;
  // The first watch stands, or cannot be had at the first attempt.
  readonly #watching = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  private constructor(client: EtcdClient, options: EtcdOptions) {
    this.#client = client;
    this.#options = options;
    this.#prefix = options.prefix ?? '';
    this.#range = keysUnder(this.#prefix);
    this.#waiters = new RevisionWaiters(options.clock);
    const { promise, resolve } = Promise.withResolvers<TowtankError>();
    this.failed = promise;
    this.#fail = resolve;
  }

  /**
   * Loads and follows: what others compact from then on does not concern it, as long as the connection holds. Rejects with
   * StoreUnavailableError.
   */
  static async open(client: EtcdClient, options: EtcdOptions): Promise<EtcdMirror> {
    const mirror = new EtcdMirror(client, options);
    await mirror.#load();
    mirror.#running = mirror.#follow();
    await mirror.#watching.promise;
    return mirror;
  }

  /** Tells of a transaction of this process that etcd acknowledged: it is shown as soon as all before it is. */
  acknowledge(revision: number, operations: readonly WriteOperation[]): void {
    if (revision <= this.view.revision) {
      for (const { key, decoded } of operations) keepDecoded(this.view.get(key), revision, decoded);
      return;
    }
    this.#own.set(revision, operations);
    this.#applyOwn();
  }

  /** Resolves when the view shows `revision`. */
  async shown(revision: number): Promise<void> {
    if (revision > this.view.revision) await this.#waiters.wait(revision, SHOW_TIMEOUT_MS);
  }

  /** Resolves when the view shows all that etcd had acknowledged to anybody when this was called. */
  async catchUp(): Promise<void> {
    const { revision } = await readHeader(this.#client, this.#range);
    if (this.#prefix === '') return this.shown(revision);
    while (this.view.revision < revision) await this.#passOthers();
  }

  /** Stops following while `change` rewrites everything, then loads anew. */
  async replace(change: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#paused = promise;
    try {
      this.#endWatch?.({ type: 'lost', error: undefined });
      await change();
    } finally {
      await this.#load().finally(() => {
        this.#paused = undefined;
        resolve();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#endWatch?.({ type: 'lost', error: undefined });
    await this.#running;
    this.#waiters.end(new StoreUnavailableError('the store is closed', { uncertain: true }));
  }

  // Revisions of keys that are not ours bring no event: when nothing under the prefix has changed since, the view is as new.
  async #passOthers(): Promise<void> {
    const at = this.view.revision;
    const request = { ...this.#range, minModRevision: at + 1, limit: 1, keysOnly: true };
    const { items, count, header } = await readRange(this.#client, request);
    if (this.view.revision !== at) return;
    if (items.length > 0 || count !== this.view.count('')) return this.shown(at + 1);
    this.#advance(header.revision);
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    try {
      const entries: KeyValue[] = [];
      const load = (item: EtcdKeyValue): void => void entries.push(versionOf(item, this.#prefix));
      const { clusterId, revision } = await loadKeys(this.#client, this.#range, load);
      this.#clusterId = clusterId;
      this.view.reset(revision, entries);
    } catch (error) {
      if (!isCompacted(error)) throw etcdError(error);
      return await this.#load();
    } finally {
      this.#isLoading = false;
    }
    this.#reached();
  }

  async #follow(): Promise<void> {
    let delay: number = RETRY_MS.first;
    for (let isFirst = true; !this.#stop.signal.aborted; isFirst = false) {
      await this.#paused;
      try {
        if (!isFirst) await this.#verify();
        const { end, sawAny } = await this.#watch();
        if (end.type === 'compacted') await this.#load();
        else if (isFinal(end.error)) throw end.error;
        if (sawAny) delay = RETRY_MS.first;
      } catch (error) {
        if (isFinal(error)) return this.#fail(etcdError(error) as TowtankError);
        // Tried again below; who asks for something new meanwhile is told by their own requests.
      } finally {
        this.#watching.resolve();
      }
      if (this.#stop.signal.aborted) return;
      await this.#sleep(delay);
      delay = Math.min(delay * 2, RETRY_MS.last);
    }
  }

  // Behind the same address there may now be another etcd, or the same with older data.
  async #verify(): Promise<void> {
    // While the question is under way, writes of our own may be acknowledged: the answer need not know them.
    const { revision } = this.view;
    const header = await readHeader(this.#client, this.#range);
    if (header.clusterId === this.#clusterId && header.revision >= revision) return;
    await this.#load();
  }

  async #watch(): Promise<{ readonly end: WatchEnd; readonly sawAny: boolean }> {
    const { promise, resolve } = Promise.withResolvers<WatchEnd>();
    this.#endWatch = resolve;
    let sawAny = false;
    const request = encodeWatch(this.#range, this.view.revision + 1);
    const stream = await this.#client.stream('/etcdserverpb.Watch/Watch', request, {
      onMessage: (message) => {
        const response = decodeWatch(message);
        sawAny = true;
        this.#watching.resolve();
        const end = this.#receive(response);
        if (end) resolve(end);
      },
      onEnd: (error) => resolve({ type: 'lost', error }),
    });
    if (this.#stop.signal.aborted) resolve({ type: 'lost', error: undefined });
    const end = await promise;
    stream[Symbol.dispose]();
    return { end, sawAny };
  }

  #receive(response: WatchResponse): WatchEnd | undefined {
    const { created, canceled, compactRevision, cancelReason, events, header } = response;
    // What a restore does is not for watches: they are ended by it.
    if (this.#paused) return { type: 'lost', error: undefined };
    if (compactRevision > 0) return { type: 'compacted' };
    if (canceled) {
      // What made the watch impossible may be the age of the token.
      this.#client.forgetToken();
      return { type: 'lost', error: new StoreUnavailableError(`etcd ended the watch: ${cancelReason}`) };
    }
    if (events.length > 0) {
      this.view.apply(eventsAfter(this.view, events, { prefix: this.#prefix, own: this.#own }));
      this.#reached();
    } else if (!created) this.#advance(header.revision);
    return undefined;
  }

  #applyOwn(): void {
    const { view } = this;
    for (;;) {
      const revision = view.revision + 1;
      const operations = this.#own.get(revision);
      if (operations === undefined || this.#paused || this.#isLoading) return;
      view.apply(planTransaction(operations, (key) => view.get(key), revision).events);
      this.#own.delete(revision);
      this.#waiters.reached(view.revision);
    }
  }

  #advance(revision: number): void {
    this.view.advance(revision);
    this.#reached();
  }

  #reached(): void {
    for (const revision of this.#own.keys()) if (revision <= this.view.revision) this.#own.delete(revision);
    this.#waiters.reached(this.view.revision);
    if (this.#own.size > 0) this.#applyOwn();
  }

  #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.schedule(ms, resolve);
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    return promise.finally(() => timer[Symbol.dispose]());
  }
}

function keepDecoded(version: KeyValue | undefined, revision: number, decoded: unknown): void {
  if (version?.modRevision === revision) version.decoded ??= decoded;
}
