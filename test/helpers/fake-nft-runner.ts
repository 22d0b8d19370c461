import { applyTransaction } from '../../src/netfilter/nftables/apply-transaction.ts';
import { printTable } from '../../src/netfilter/nftables/print-table.ts';
import type { Table, TableFamily } from '../../src/netfilter/nftables/table.ts';
import type { Operation, Transaction } from '../../src/netfilter/nftables/transaction.ts';
import { TransactionError } from '../../src/netfilter/nftables/transaction-error.ts';
import type { NftRunner, RememberedClient } from '../../src/netfilter/runner.ts';

/** A kernel that only has nftables tables, in memory. It refuses what the kernel refuses, and what a test tells it to. */
export class FakeNftRunner implements Required<NftRunner> {
  readonly tables = new Map<string, Table>();
  /** Every transaction that was made. */
  readonly transactions: Transaction[] = [];
  /** By set: what `listRemembered` answers. */
  readonly remembered = new Map<string, readonly RememberedClient[]>();
  /** Operations for which this says true make their transaction fail. */
  refuses: (operation: Operation) => boolean = () => false;
  /** What `generation` answers. */
  told: string | undefined;
  #handles = 0;
  readonly #handleOf = new Map<string, number>();

  async apply(transaction: Transaction, { check = false }: { readonly check?: boolean } = {}): Promise<void> {
    const index = transaction.operations.findIndex((operation) => this.refuses(operation));
    const operation = transaction.operations[index];
    if (operation !== undefined)
      throw new TransactionError({ errno: 'EINVAL', explanation: 'told to refuse', index, operation });
    const name = `${transaction.family} ${transaction.table}`;
    const after = applyTransaction(this.tables.get(name), transaction);
    if (check) return;
    this.transactions.push(transaction);
    if (transaction.operations.some(({ kind }) => kind === 'delete-table')) this.#handleOf.set(name, ++this.#handles);
    if (after === undefined) this.tables.delete(name);
    else this.tables.set(name, after);
  }

  async generation(): Promise<string | undefined> {
    return this.told;
  }

  async fingerprint(family: TableFamily, table: string, chains: readonly string[]): Promise<string | undefined> {
    const found = this.tables.get(`${family} ${table}`);
    if (found === undefined) return undefined;
    const rules = chains.map((chain) => found.chains.get(chain)?.rules.length ?? '-');
    return [this.#handleOf.get(`${family} ${table}`) ?? 0, ...rules].join(' ');
  }

  async listTable(family: string, table: string): Promise<string | undefined> {
    const found = this.tables.get(`${family} ${table}`);
    return found === undefined ? undefined : printTable(found);
  }

  async listRemembered(_family: TableFamily, _table: string, set: string): Promise<readonly RememberedClient[]> {
    return this.remembered.get(set) ?? [];
  }

  async run(): Promise<void> {
    throw new Error('the fake understands transactions as data only');
  }
}
