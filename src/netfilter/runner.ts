import type { RestoreInput } from './iptables/restore-input.ts';
import type { TableFamily } from './nftables/table.ts';
import type { Transaction } from './nftables/transaction.ts';

/** IP family of a ruleset, as nft and kube-proxy spell it. */
export type Family = 'ipv4' | 'ipv6';

export interface RestoreOptions {
  /** Leave chains that the text does not name untouched (`--noflush`). */
  readonly noflush: boolean;
  /** Restore packet counters (`--counters`). */
  readonly counters?: boolean;
}

/**
 * The door between rules as data and rules in a kernel: one instance is bound to one network namespace. `kernel` implements
 * it with the programs; tests use a fake that keeps the text. All methods reject with KernelCommandError.
 */
export interface IptablesRunner {
  /** Does what ip(6)tables-restore does with this input: one transaction per table. */
  restore(family: Family, input: RestoreInput, options: RestoreOptions): Promise<void>;
  /** Prints the rules of one table, or all of them, as ip(6)tables-save does. */
  save(family: Family, table?: string): Promise<string>;
  /** Runs ip(6)tables with these arguments; resolves with its exit code (0, or 1 for `-C` that finds nothing). */
  run(
    family: Family,
    args: readonly string[],
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
  /**
   * A short text that stays the same until somebody changes rules of the family, or of the namespace; undefined when the kernel
   * does not tell. On iptables-legacy it is what the kernel says of the tables, so that it misses a rule that is replaced by one of
   * the same size. Present where the kernel can be asked without a program.
   */
  generation?(family: Family): Promise<string | undefined>;
}

/** An address that a set of session affinity holds. */
export interface RememberedClient {
  readonly address: string;
  /** Seconds until it is forgotten. */
  readonly expiresSeconds: number;
}

/** The same for nftables: the script is one transaction. */
export interface NftRunner {
  /** Runs `nft -f -`; `check` adds `-c` (nothing is changed). */
  run(script: string, options?: { readonly check?: boolean }): Promise<void>;
  /** Prints a table (`nft -s list table FAMILY NAME`), or undefined when it does not exist. */
  listTable(family: 'ip' | 'ip6' | 'inet' | 'bridge', table: string): Promise<string | undefined>;
  /**
   * Makes the changes of a transaction given as data, all or none; `check` only tries them. Present where the runner speaks
   * netlink itself, which spares a program start and the reading back of all rules. Rejects with TransactionError.
   */
  apply?(transaction: Transaction, options?: { readonly check?: boolean }): Promise<void>;
  /** What a dynamic set with timeout holds; nothing when there is no such set. Present with `apply`. */
  listRemembered?(family: TableFamily, table: string, set: string): Promise<readonly RememberedClient[]>;
  /** A short text that another takes the place of when anybody changes rules of the namespace. Present with `apply`. */
  generation?(): Promise<string | undefined>;
  /**
   * A short text that changes when somebody deletes, empties or replaces the table or one of these chains; undefined when
   * there is no such table. Present with `apply`.
   */
  fingerprint?(family: TableFamily, table: string, chains: readonly string[]): Promise<string | undefined>;
}

/** One connection tracking entry, as far as proxies need it. */
export interface ConntrackFlow {
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly original: {
    readonly source: string;
    readonly destination: string;
    readonly sourcePort: number;
    readonly destinationPort: number;
  };
  readonly reply: {
    readonly source: string;
    readonly destination: string;
    readonly sourcePort: number;
    readonly destinationPort: number;
  };
}

/** The kernel's connection tracking table of one network namespace. */
export interface ConntrackRunner {
  list(family: Family, protocol: 'tcp' | 'udp' | 'sctp'): Promise<readonly ConntrackFlow[]>;
  /** Deletes these flows; one that is gone already is no error. Resolves with how many were deleted. */
  delete(flows: readonly ConntrackFlow[]): Promise<number>;
}
