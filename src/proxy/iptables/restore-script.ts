import type { TableName } from '../../netfilter/iptables/ruleset.ts';

interface Section {
  /** Chains to create, or to empty when they exist. */
  readonly chains: string[];
  readonly rules: string[];
  /** Chains to delete at the end. */
  readonly deleted: string[];
}

/** An input of `iptables-restore --noflush` in the making: tables it does not mention are left alone, and so are chains. */
export class RestoreScript {
  readonly #sections = new Map<TableName, Section>();

  /** Creates the chain, or empties it. */
  chain(table: TableName, name: string): this {
    this.#of(table).chains.push(`:${name} - [0:0]`);
    return this;
  }

  /** Adds command lines (`-A`, `-I`, `-D`). */
  rules(table: TableName, lines: readonly string[]): this {
    if (lines.length === 0) return this;
    const { rules } = this.#of(table);
    for (const line of lines) rules.push(line);
    return this;
  }

  /** Empties the chain and deletes it. */
  deleteChain(table: TableName, name: string): this {
    const section = this.#of(table);
    section.chains.push(`:${name} - [0:0]`);
    section.deleted.push(`-X ${name}`);
    return this;
  }

  get isEmpty(): boolean {
    return this.#sections.size === 0;
  }

  /** Number of chains in a table, for what depends on size. */
  chainCount(table: TableName): number {
    return this.#sections.get(table)?.chains.length ?? 0;
  }

  /** Number of rules that it writes into a table. */
  ruleCount(table: TableName): number {
    return this.#sections.get(table)?.rules.length ?? 0;
  }

  /**
   * The text. `readAll`: iptables-nft-restore collects the names of all chains in a sorted list by linear search, which
   * takes seconds for ten thousand of them; a command without a chain (`-S`, its output is ignored) makes it read the whole
   * table instead.
   */
  text({ readAll = false }: { readonly readAll?: boolean } = {}): string {
    const parts: string[] = [];
    for (const [table, { chains, rules, deleted }] of this.#sections) {
      const first = readAll && chains.length > READ_ALL_CHAINS ? ['-S'] : [];
      parts.push(`*${table}`, ...first);
      for (const lines of [chains, rules, deleted]) for (const line of lines) parts.push(line);
      parts.push('COMMIT');
    }
    return `${parts.join('\n')}\n`;
  }

  #of(table: TableName): Section {
    const section = this.#sections.get(table) ?? { chains: [], rules: [], deleted: [] };
    this.#sections.set(table, section);
    return section;
  }
}

/** From here on reading the whole table is quicker than naming its chains. */
export const READ_ALL_CHAINS = 300;
