import { MAX_OPERATIONS } from '../plan-transaction.ts';
import type { KeyValue, StoreSnapshot, WriteOperation } from '../store.ts';
import type { EtcdClient } from './etcd-client.ts';
import type { EtcdLeases } from './etcd-leases.ts';
import { decodeHeaderOf, encodeDeleteRange, encodeTransaction, keysUnder } from './messages.ts';

// etcd takes 1.5 MiB a request.
const MAX_BYTES = 1 << 20;
const SIDE_BY_SIDE = 64;
/** Written and deleted, to raise the revision. */
const STEP_KEY = '/towtank/restoring';

/** Writes a snapshot into an etcd. */
export class RestoreRun {
  readonly #client: EtcdClient;
  readonly #leases: EtcdLeases;
  readonly #prefix: string;
  #revision = 0;

  constructor(client: EtcdClient, leases: EtcdLeases, prefix: string) {
    this.#client = client;
    this.#leases = leases;
    this.#prefix = prefix;
  }

  /**
   * Replaces everything under the prefix, so that etcd's revision ends higher than `before` and the snapshot's. Not at once:
   * others who watch see it happen, and when this rejects it can be half done.
   */
  async write(snapshot: StoreSnapshot & { readonly entries: readonly KeyValue[] }, before: number): Promise<void> {
    await this.#send('/etcdserverpb.KV/DeleteRange', encodeDeleteRange(keysUnder(this.#prefix)));
    for (const { id, ttlSeconds } of snapshot.leases) await this.#leases.ensure(id, ttlSeconds);
    const batches = [...batchesOf(snapshot.entries)];
    await this.#sideBySide(batches.length, (index) => this.#commit(batches[index]!));
    // Whoever still holds a revision of the time before must not find another history under it.
    const missing = Math.max(before, snapshot.revision) - this.#revision;
    await this.#sideBySide(missing, () => this.#commit([{ key: STEP_KEY, value: Buffer.from('x') }]));
    await this.#commit([{ key: STEP_KEY, value: Buffer.from('x') }]);
    await this.#commit([{ key: STEP_KEY, value: undefined }]);
  }

  async #sideBySide(count: number, work: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  }

  #commit(operations: readonly WriteOperation[]): Promise<void> {
    return this.#send('/etcdserverpb.KV/Txn', encodeTransaction(operations, this.#prefix));
  }

  async #send(path: string, request: Buffer): Promise<void> {
    // Writing the same twice does no harm here.
    const { revision } = decodeHeaderOf(await this.#client.read(path, request));
    this.#revision = Math.max(this.#revision, revision);
  }
}

function* batchesOf(entries: readonly KeyValue[]): Generator<readonly WriteOperation[]> {
  let [batch, bytes]: [WriteOperation[], number] = [[], 0];
  for (const { key, value, lease } of entries) {
    const size = value.length + Buffer.byteLength(key);
    if (batch.length === MAX_OPERATIONS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push({ key, value, lease });
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
