import { TowtankError } from '../errors/towtank-error.ts';

/**
 * One version of one key. Instances are shared by all readers and watchers in the process and never change, except for
 * `decoded`: the writer, or else the first reader, leaves there what the bytes mean, so that nobody decodes them twice.
 */
export interface KeyValue {
  readonly key: string;
  /**
   * The bytes as written. The API server writes JSON without resourceVersion: that is `modRevision`. May be made when it is
   * first asked for.
   */
  readonly value: Buffer;
  /** False while nobody has asked for `value` and it is still to be made of `decoded`. */
  readonly isEncoded?: boolean | undefined;
  /** Revision of the write that made the key (again). */
  readonly createRevision: number;
  /** Revision of the write that made this version. */
  readonly modRevision: number;
  /** The lease the key dies with, or undefined. */
  readonly lease: string | undefined;
  decoded: unknown;
}

/** One change. Events of one revision come from one transaction. */
export interface StoreEvent {
  readonly key: string;
  readonly revision: number;
  /** Undefined when the key was deleted. */
  readonly current: KeyValue | undefined;
  /** The version before, undefined when the key is new. */
  readonly previous: KeyValue | undefined;
  /** A place for what watchers derive from this event once for all of them, for example the frame on the wire. */
  shared: unknown;
}

/** Writes or deletes one key. */
export interface WriteOperation {
  readonly key: string;
  /**
   * Undefined deletes the key; deleting what is absent succeeds and makes no event. May be a getter that makes the bytes when
   * they are first asked for: an engine that keeps nothing on disk then never asks.
   */
  readonly value: Buffer | undefined;
  /** False while `value` has not been asked for; absent where it is there from the start. */
  readonly isEncoded?: boolean | undefined;
  /** modRevision that the key must have, 0 for a key that must not exist, undefined to write in any case. */
  readonly expect?: number | undefined;
  readonly lease?: string | undefined;
  /** What `value` means, kept in `KeyValue.decoded`; must not be changed afterwards. */
  readonly decoded?: unknown;
}

export interface WriteResult {
  /** Revision of the transaction; the store's revision when nothing changed. */
  readonly revision: number;
  /** The new versions in the order of the operations, undefined for deletions. */
  readonly current: readonly (KeyValue | undefined)[];
  /** The versions that were replaced or deleted, in the order of the operations. */
  readonly previous: readonly (KeyValue | undefined)[];
}

export interface RangeOptions {
  /** At most this many entries; 0 or undefined means all. */
  readonly limit?: number | undefined;
  /** Only keys that sort after this one: how a list is continued. */
  readonly after?: string | undefined;
  /** State as of this revision. Throws ERR_STORE_COMPACTED when that is gone, ERR_STORE_FUTURE_REVISION when it is still to come. */
  readonly atRevision?: number | undefined;
}

export interface RangeResult {
  /** In the order of their keys. */
  readonly items: readonly KeyValue[];
  /** Number of keys under the prefix that sort after the last item. */
  readonly remaining: number;
  /** Revision that the answer shows: the one asked for, or the store's. */
  readonly revision: number;
}

export interface WatchRequest {
  /** Keys that start with this. */
  readonly prefix: string;
  /** Events after this revision; undefined means from now on. One that is still to come is waited for. */
  readonly afterRevision?: number | undefined;
  /**
   * Called with one or more events in the order of their revisions, never empty, never before `watch` has returned; all
   * events of one revision under the prefix come in one call. Must not throw.
   */
  readonly onEvents: (events: readonly StoreEvent[]) => void;
  /** Called once when the store ends the watch: closed (no cause), restored over (ERR_STORE_COMPACTED) or out of reach. */
  readonly onEnd: (cause?: TowtankError) => void;
}

/** A running watch; closing it twice is fine and calls no `onEnd`. */
export interface StoreWatch extends Disposable {
  close(): void;
}

/** Everything a store holds at one revision, independent of the engine. */
export interface StoreSnapshot {
  readonly revision: number;
  readonly leases: readonly { readonly id: string; readonly ttlSeconds: number }[];
  readonly entries: Iterable<KeyValue> | AsyncIterable<KeyValue>;
}

/**
 * A revisioned key-value store: the only place where the API server keeps state.
 *
 * Reads are synchronous on every engine: each one keeps the whole current state and the events since the last compaction
 * in memory, and shows a write only after it is durable. `memory` and `sqlite` have one writer, this process, so their
 * reads are linearizable as they stand. On `etcd` others write too: there a read is linearizable after `barrier()`.
 */
export interface Store extends AsyncDisposable {
  readonly engine: 'memory' | 'sqlite' | 'etcd';
  /** Revision of the newest write that reads show; rises by one with each transaction that changes something. */
  readonly revision: number;
  /** History up to here is gone: reads and watches must start at this revision or later. */
  readonly compactedRevision: number;
  get(key: string): KeyValue | undefined;
  range(prefix: string, options?: RangeOptions): RangeResult;
  /** Number of keys that start with `prefix`. */
  count(prefix: string): number;
  /**
   * Undefined when reads already show all that was acknowledged anywhere before this call; else resolves as soon as they
   * do. `const wait = store.barrier(); if (wait) await wait;` costs the local engines nothing.
   */
  barrier(): Promise<void> | undefined;
  /**
   * Applies all operations or none, each key at most once. Resolves when the result is durable and reads show it (memory:
   * reads show it when the call returns). Rejects with StoreConflictError when an expectation does not hold,
   * ERR_STORE_UNAVAILABLE when the engine cannot write (nothing was applied, except on etcd, where a lost answer leaves
   * that open: the error's `uncertain` says so).
   */
  commit(operations: readonly WriteOperation[]): Promise<WriteResult>;
  /** Throws ERR_STORE_COMPACTED when `afterRevision` is older than the history kept. */
  watch(request: WatchRequest): StoreWatch;
  /** Makes a lease: keys written with it are deleted `ttlSeconds` after the last `keepAlive`. Resolves with its id. */
  grantLease(ttlSeconds: number): Promise<string>;
  /** Starts the lease's time anew. Rejects with ERR_STORE_LEASE when it has expired. */
  keepAlive(lease: string): Promise<void>;
  /** Ends a lease and deletes its keys; an expired one is no error. */
  revokeLease(lease: string): Promise<void>;
  /** Forgets what was superseded at or before `revision`. Rejects with ERR_STORE_FUTURE_REVISION for one to come. */
  compact(revision: number): Promise<void>;
  /** Resolves with the state as of the call; later writes do not show in it. */
  snapshot(): Promise<StoreSnapshot>;
  /**
   * Replaces everything by `snapshot` and ends all watches with ERR_STORE_COMPACTED. Memory and sqlite keep the snapshot's
   * revisions of each key, etcd gives new ones; on all of them the store's revision is higher than before and than the snapshot's.
   * On etcd that is not one step: others see it happen.
   */
  restore(snapshot: StoreSnapshot): Promise<void>;
  /**
   * Ends the time in which an engine acknowledges writes before they are durable, while its cluster is starting; resolves when
   * all of them are. Absent on engines that know no such time.
   */
  becomeDurable?(): Promise<void>;
  /** Called once if the engine can no longer serve (etcd lost for good, file gone); reads show the last state. */
  readonly failed: Promise<TowtankError>;
}

/** An operation's `expect` did not hold: carries the key's real state, so that the caller can try again without a read. */
export class StoreConflictError extends TowtankError {
  readonly key: string;
  readonly current: KeyValue | undefined;
  constructor(key: string, expected: number, current: KeyValue | undefined) {
    super({
      code: 'ERR_STORE_CONFLICT',
      message: `${key}: expected revision ${expected}, found ${current?.modRevision ?? 0}`,
    });
    this.key = key;
    this.current = current;
  }
}

/** The revision asked for is older than the history kept; `compactedRevision` is the oldest that can be asked for. */
export class StoreCompactedError extends TowtankError {
  readonly compactedRevision: number;
  constructor(revision: number, compactedRevision: number) {
    super({
      code: 'ERR_STORE_COMPACTED',
      message: `revision ${revision} has been compacted, the oldest is ${compactedRevision}`,
      hint: 'List again and watch from the revision of that list.',
    });
    this.compactedRevision = compactedRevision;
  }
}

/** The revision asked for is higher than any the store has reached. */
export class StoreFutureRevisionError extends TowtankError {
  readonly currentRevision: number;
  constructor(revision: number, currentRevision: number) {
    super({
      code: 'ERR_STORE_FUTURE_REVISION',
      message: `revision ${revision} is still to come, the store is at ${currentRevision}`,
    });
    this.currentRevision = currentRevision;
  }
}

/** The engine cannot write or cannot be reached. */
export class StoreUnavailableError extends TowtankError {
  /** True when the write may have happened all the same: the answer was lost, not the request refused. */
  readonly uncertain: boolean;
  constructor(message: string, options: { uncertain?: boolean; hint?: string | undefined; cause?: unknown } = {}) {
    super({ code: 'ERR_STORE_UNAVAILABLE', message, hint: options.hint, cause: options.cause });
    this.uncertain = options.uncertain ?? false;
  }
}
