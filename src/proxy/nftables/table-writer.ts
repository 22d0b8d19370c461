import { TowtankError } from '../../errors/towtank-error.ts';
import type { Clock } from '../../kube/clock.ts';
import { createTable } from '../../netfilter/nftables/diff-tables.ts';
import { makeBeforeBreak } from '../../netfilter/nftables/make-before-break.ts';
import { parseTables } from '../../netfilter/nftables/parse-tables.ts';
import { printTransaction } from '../../netfilter/nftables/print-transaction.ts';
import type { Table } from '../../netfilter/nftables/table.ts';
import type { Operation, Transaction } from '../../netfilter/nftables/transaction.ts';
import type { NftRunner, RememberedClient } from '../../netfilter/runner.ts';
import { ChangeWatch } from '../change-watch.ts';

export interface TableWriterOptions {
  readonly family: 'ip' | 'ip6';
  readonly table: string;
  readonly runner: NftRunner;
  readonly clock: Clock;
}

// Kernels before 6.2 hold on to chains for a moment after the last verdict that led to them is gone.
const chainLingerMs = 1000;

/** Writes transactions of one table, by netlink where the runner can and through the nft program otherwise. */
export class TableWriter {
  readonly #options: TableWriterOptions;
  readonly #lingering = new Map<string, number>();
  #lingers = false;
  #watched: readonly string[] = [];
  #fingerprint: string | undefined;
  readonly #watch = new ChangeWatch();

  constructor(options: TableWriterOptions) {
    this.#options = options;
  }

  /** Replaces the whole table. Rejects with TransactionError or KernelCommandError, nothing changed. */
  async replace(operations: readonly Operation[], table: Table): Promise<void> {
    await this.#besideStandIn(table, () => this.#apply(operations));
    this.#lingering.clear();
    // Chains of Services, which have their names in theirs, are too many to look at.
    this.#watched = [...table.chains.keys()].filter((name) => !name.includes('/'));
    this.#fingerprint = await this.#readFingerprint();
  }

  /**
   * Makes the changes. Rejects as `replace`, or with all that is new in place and what goes not yet gone: the table is to be
   * replaced then. Resolves with what kept chains of earlier changes from being deleted, if anything did.
   */
  async write(operations: readonly Operation[]): Promise<TowtankError | undefined> {
    const kept = this.#lingers ? this.#putOff(operations) : operations;
    const steps = this.#options.runner.apply === undefined ? { make: kept, rest: [] } : makeBeforeBreak(kept);
    if (steps.make.length > 0) await this.#applyOrPutOff(steps.make);
    if (steps.rest.length > 0) await this.#applyOrPutOff(steps.rest);
    return await this.#deleteLingering();
  }

  /** Tries changes without making them. Rejects as `replace`. */
  async check(operations: readonly Operation[]): Promise<void> {
    await this.#apply(operations, { check: true });
  }

  /** False when somebody else deleted or emptied the table. */
  async isIntact(): Promise<boolean> {
    const { runner } = this.#options;
    return await this.#watch.isIntact(runner.generation?.bind(runner), async () => {
      const fingerprint = await this.#readFingerprint();
      return fingerprint !== undefined && fingerprint === this.#fingerprint;
    });
  }

  /** Clients that a dynamic set of the present table remembers; none where the runner cannot tell. */
  async remembered(set: string): Promise<readonly RememberedClient[]> {
    const { runner, family, table } = this.#options;
    return (await runner.listRemembered?.(family, table, set)) ?? [];
  }

  async #apply(
    operations: readonly Operation[],
    { table = this.#options.table, check = false }: { readonly table?: string; readonly check?: boolean } = {},
  ): Promise<void> {
    const { runner, family } = this.#options;
    const transaction: Transaction = { family, table, operations };
    if (runner.apply !== undefined) await runner.apply(transaction, { check });
    else await runner.run(printTransaction(transaction), { check });
  }

  // While a table is replaced, packets find one of the two empty, and maps of intervals are filled last, long after the rest at
  // many Services: another table of the same rules serves until it is done. The kernel removes it if this process ends meanwhile.
  async #besideStandIn(table: Table, replace: () => Promise<void>): Promise<void> {
    const { runner, family } = this.#options;
    const isThere = (await runner.fingerprint?.(family, table.name, [])) !== undefined;
    const name = `${table.name}-stand-in`;
    const stands = isThere && (await this.#tries(name, createTable(table, { isOwned: true })));
    try {
      await replace();
    } finally {
      if (stands) await this.#tries(name, [{ kind: 'delete-table' }]);
    }
  }

  // False when it was refused: without a stand-in, replacing a table is no worse than it would be anyway.
  async #tries(table: string, operations: readonly Operation[]): Promise<boolean> {
    try {
      await this.#apply(operations, { table });
      return true;
    } catch (error) {
      if (error instanceof TowtankError) return false;
      throw error;
    }
  }

  async #applyOrPutOff(operations: readonly Operation[]): Promise<void> {
    try {
      await this.#apply(operations);
    } catch (error) {
      if (!(error instanceof TowtankError) || this.#lingers || !operations.some(isChainDeletion)) throw error;
      await this.#apply(operations.filter((operation) => !isChainDeletion(operation)));
      this.#lingers = true;
      this.#putOff(operations);
    }
  }

  #putOff(operations: readonly Operation[]): readonly Operation[] {
    const now = this.#options.clock.now();
    for (const operation of operations) {
      if (operation.kind === 'add-chain') this.#lingering.delete(operation.chain.name);
      if (operation.kind === 'delete-chain') this.#lingering.set(operation.chain, now);
    }
    return operations.filter((operation) => !isChainDeletion(operation));
  }

  // Empty chains are harmless: those that cannot go yet are tried again with the next write.
  async #deleteLingering(): Promise<TowtankError | undefined> {
    const latest = this.#options.clock.now() - chainLingerMs;
    const due = [...this.#lingering].filter(([, since]) => since <= latest).map(([chain]) => chain);
    if (due.length === 0) return undefined;
    try {
      await this.#apply(due.map((chain) => ({ kind: 'delete-chain', chain })));
    } catch (error) {
      if (error instanceof TowtankError) return error;
      throw error;
    }
    for (const chain of due) this.#lingering.delete(chain);
    return undefined;
  }

  async #readFingerprint(): Promise<string | undefined> {
    const { runner, family, table } = this.#options;
    if (runner.fingerprint !== undefined) return await runner.fingerprint(family, table, this.#watched);
    const listing = await runner.listTable(family, table);
    return listing === undefined ? undefined : describe(parseTables(listing)[0], this.#watched);
  }
}

const isChainDeletion = ({ kind }: Operation): boolean => kind === 'delete-chain';

function describe(table: Table | undefined, chains: readonly string[]): string {
  return chains.map((chain) => `${chain} ${table?.chains.get(chain)?.rules.length ?? '-'}`).join(', ');
}
