import { TowtankError } from '../errors/towtank-error.ts';
import { type KeyValue, StoreConflictError, type StoreEvent, type WriteOperation, type WriteResult } from './store.ts';

/** Operations of one transaction at most: etcd's default limit, so that what runs on one engine runs on all. */
export const MAX_OPERATIONS = 128;

export interface TransactionPlan {
  /** In the order of the operations; empty when nothing changes. */
  readonly events: readonly StoreEvent[];
  readonly result: WriteResult;
}

/**
 * Decides what `operations` do at `revision` (the next one) to the state that `read` shows. Throws StoreConflictError when an
 * expectation does not hold, ERR_INTERNAL when a key appears twice or there are more than MAX_OPERATIONS.
 */
export function planTransaction(
  operations: readonly WriteOperation[],
  read: (key: string) => KeyValue | undefined,
  revision: number,
): TransactionPlan {
  checkOperations(operations);
  if (operations.length === 1) return planOne(operations[0]!, read(operations[0]!.key), revision);
  const previous = operations.map((operation) => read(operation.key));
  for (const [index, { key, expect }] of operations.entries()) {
    const found = previous[index];
    if (expect !== undefined && expect !== (found?.modRevision ?? 0)) throw new StoreConflictError(key, expect, found);
  }
  const current = operations.map((operation, index) => versionOf(operation, previous[index], revision));
  const events: StoreEvent[] = [];
  for (const [index, { key }] of operations.entries()) {
    const [before, after] = [previous[index], current[index]];
    if (before !== undefined || after !== undefined)
      events.push({ key, revision, current: after, previous: before, shared: undefined });
  }
  return { events, result: { revision: events.length > 0 ? revision : revision - 1, current, previous } };
}

// Nearly every transaction is of one operation.
function planOne(operation: WriteOperation, previous: KeyValue | undefined, revision: number): TransactionPlan {
  const { key, expect } = operation;
  if (expect !== undefined && expect !== (previous?.modRevision ?? 0))
    throw new StoreConflictError(key, expect, previous);
  const current = versionOf(operation, previous, revision);
  const isChange = previous !== undefined || current !== undefined;
  return {
    events: isChange ? [{ key, revision, current, previous, shared: undefined }] : [],
    result: { revision: isChange ? revision : revision - 1, current: [current], previous: [previous] },
  };
}

/** Throws ERR_INTERNAL for a transaction that no engine can run. */
export function checkOperations(operations: readonly WriteOperation[]): void {
  if (operations.length === 1) return;
  if (operations.length > MAX_OPERATIONS)
    throw new TowtankError({
      code: 'ERR_INTERNAL',
      message: `${operations.length} operations in one transaction, at most ${MAX_OPERATIONS} are possible`,
    });
  const keys = new Set(operations.map((operation) => operation.key));
  if (keys.size < operations.length)
    throw new TowtankError({ code: 'ERR_INTERNAL', message: 'one key twice in one transaction' });
}

function versionOf(operation: WriteOperation, previous: KeyValue | undefined, revision: number): KeyValue | undefined {
  // `decoded` is asked first: bytes may be made only when somebody wants them.
  if (operation.decoded === undefined && operation.value === undefined) return undefined;
  return new Version(operation, previous?.createRevision ?? revision, revision);
}

class Version implements KeyValue {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly lease: string | undefined;
  decoded: unknown;
  #value: Buffer | undefined;
  // Until the bytes are made: it may hold much that is of no use afterwards.
  #operation: WriteOperation | undefined;

  constructor(operation: WriteOperation, createRevision: number, modRevision: number) {
    this.key = operation.key;
    this.createRevision = createRevision;
    this.modRevision = modRevision;
    this.lease = operation.lease;
    this.decoded = operation.decoded;
    this.#operation = operation;
  }

  get value(): Buffer {
    if (this.#operation !== undefined) {
      this.#value = this.#operation.value;
      this.#operation = undefined;
    }
    return this.#value!;
  }

  get isEncoded(): boolean {
    return this.#operation === undefined || (this.#operation.isEncoded ?? true);
  }
}
