import type { Family } from '../runner.ts';
import type { Rule } from './rule.ts';

export type TableName = 'raw' | 'mangle' | 'nat' | 'filter' | 'security';

export interface Chain {
  readonly name: string;
  /** Built-in chains have one; it is `ACCEPT` or `DROP`. */
  readonly policy?: 'ACCEPT' | 'DROP' | undefined;
  readonly rules: readonly Rule[];
}

export interface Table {
  readonly name: TableName;
  /** In order of declaration. */
  readonly chains: ReadonlyMap<string, Chain>;
}

/** Everything that iptables-save prints for one family. */
export interface IptablesRuleset {
  readonly family: Family;
  readonly tables: ReadonlyMap<TableName, Table>;
}
