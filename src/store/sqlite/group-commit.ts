import { planTransaction, type TransactionPlan } from '../plan-transaction.ts';
import { type KeyValue, StoreConflictError, type StoreEvent, type WriteOperation, type WriteResult } from '../store.ts';

/** Transactions that go to the disk together at most, and bytes of values after which no more join. */
const MAX_TRANSACTIONS = 1024;
const MAX_BYTES = 8 << 20;

interface Pending {
  readonly operations: readonly WriteOperation[];
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What group commit asks of the engine around it. */
export interface CommitTarget {
  /** The newest durable version. */
  read(key: string): KeyValue | undefined;
  /** Revision of the newest durable write. */
  readonly revision: number;
  /** Throws when a transaction asks for what is no longer there (a lease that ended while it waited). */
  check(operations: readonly WriteOperation[]): void;
  /** Makes events durable, all or none; undefined when nobody has to wait for that. */
  persist(events: readonly StoreEvent[]): Promise<void> | undefined;
  /** Shows durable events in reads and watches. */
  show(events: readonly StoreEvent[]): void;
}

/**
 * Collects transactions while the disk is busy and commits them together, so that one wait for the disk serves many
 * writers. Each is decided on what stands before it in the group, and nobody hears of anything before it is durable.
 */
export class GroupCommit {
  readonly #target: CommitTarget;
  readonly #queue: Pending[] = [];
  #busy: Promise<void> | undefined;

  constructor(target: CommitTarget) {
    this.#target = target;
  }

  commit(operations: readonly WriteOperation[]): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ operations, resolve, reject });
      this.#busy ??= this.#drain();
    });
  }

  /** Resolves when all that was committed so far is settled. */
  async settled(): Promise<void> {
    while (this.#busy) await this.#busy;
  }

  async #drain(): Promise<void> {
    // The first group begins after the turn of the event loop that asked for it: what comes in one turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#commitGroup();
    this.#busy = undefined;
  }

  async #commitGroup(): Promise<void> {
    const group = new Group(this.#target);
    let bytes = 0;
    while (this.#queue.length > 0 && group.size < MAX_TRANSACTIONS && bytes < MAX_BYTES) {
      const pending = this.#queue.shift()!;
      group.add(pending);
      for (const { value } of pending.operations) bytes += value?.length ?? 0;
    }
    const events = group.events();
    try {
      const persisted = events.length > 0 ? this.#target.persist(events) : undefined;
      if (persisted) await persisted;
    } catch (error) {
      // Those refused because of what did not happen now are decided again.
      this.#queue.unshift(...group.fail(error));
      return;
    }
    this.#target.show(events);
    group.succeed();
  }
}

class Group {
  readonly #target: CommitTarget;
  readonly #planned: { readonly pending: Pending; readonly plan: TransactionPlan }[] = [];
  readonly #refused: { readonly pending: Pending; readonly error: unknown }[] = [];
  // What the transactions before in this group make of keys; not durable yet.
  readonly #overlay = new Map<string, KeyValue | undefined>();
  #revision: number;

  constructor(target: CommitTarget) {
    this.#target = target;
    this.#revision = target.revision;
  }

  get size(): number {
    return this.#planned.length + this.#refused.length;
  }

  add(pending: Pending): void {
    try {
      this.#target.check(pending.operations);
      const plan = planTransaction(pending.operations, (key) => this.#read(key), this.#revision + 1);
      this.#planned.push({ pending, plan });
      for (const event of plan.events) this.#overlay.set(event.key, event.current);
      this.#revision = plan.result.revision;
    } catch (error) {
      if (error instanceof StoreConflictError && this.#overlay.has(error.key)) this.#refused.push({ pending, error });
      else pending.reject(error);
    }
  }

  events(): StoreEvent[] {
    return this.#planned.flatMap(({ plan }) => plan.events);
  }

  succeed(): void {
    for (const { pending, plan } of this.#planned) pending.resolve(plan.result);
    for (const { pending, error } of this.#refused) pending.reject(error);
  }

  /** Rejects what was planned; returns what must be decided again. */
  fail(error: unknown): Pending[] {
    for (const { pending } of this.#planned) pending.reject(error);
    return this.#refused.map(({ pending }) => pending);
  }

  #read(key: string): KeyValue | undefined {
    return this.#overlay.has(key) ? this.#overlay.get(key) : this.#target.read(key);
  }
}
