import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import type { ChainText } from './rendered-port.ts';

interface Section {
  /** `:CHAIN` lines of chains that jumps lead to. */
  readonly baseChains: string[];
  /** Lines of the built-in chains and others that are shared. */
  readonly jumps: string[];
  /** `:CHAIN` lines: chains to create, or to empty when they exist. */
  readonly chains: string[];
  readonly rules: string[];
  /** Chains to delete at the end. */
  readonly deleted: string[];
  ruleCount: number;
}

/** An input of `iptables-restore --noflush` in the making: tables it does not mention are left alone, and so are chains. */
export class RestoreScript {
  readonly #sections = new Map<TableName, Section>();

  /** Creates the chain, or empties it, before jumps() are written. */
  baseChain(table: TableName, name: string): this {
    this.#of(table).baseChains.push(`:${name} - [0:0]`);
    return this;
  }

  /**
   * Adds lines of chains that are not a proxy's alone (built-in ones, KUBE-FIREWALL), which do not count as its rules; the chains
   * that they lead to are base chains.
   */
  jumps(table: TableName, lines: readonly string[]): this {
    this.#of(table).jumps.push(...lines);
    return this;
  }

  /** Creates the chain, or empties it. */
  chain(table: TableName, name: string): this {
    this.#of(table).chains.push(`:${name} - [0:0]`);
    return this;
  }

  /** Adds command lines (`-A`, `-I`, `-D`). */
  rules(table: TableName, lines: readonly string[]): this {
    if (lines.length === 0) return this;
    return this.#add(table, lines.join('\n'), lines.length);
  }

  /** Creates or empties chains and fills them. */
  filledChains(table: TableName, chains: readonly (readonly [name: string, text: ChainText])[]): this {
    if (chains.length === 0) return this;
    const declared = this.#of(table).chains;
    for (const [name] of chains) declared.push(`:${name} - [0:0]`);
    const texts = chains.map(([, { lines }]) => lines).filter((lines) => lines !== '');
    return this.#add(
      table,
      texts.join('\n'),
      chains.reduce((sum, [, { count }]) => sum + count, 0),
    );
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

  /** Number of rules that it writes into chains of a table that are the proxy's. */
  ruleCount(table: TableName): number {
    return this.#sections.get(table)?.ruleCount ?? 0;
  }

  /**
   * The text; it can be taken once, so that it is not in memory twice. `readAll`: iptables-nft-restore collects the names of
   * all chains in a sorted list by linear search, which takes seconds for ten thousand of them; a command without a chain
   * (`-S`, its output is ignored) makes it read the whole table instead. It must come after what concerns the built-in
   * chains, which are not created any more behind it. `inOrder` declares chains in the order of their names:
   * iptables-legacy-restore keeps them in a sorted list, and finds them in two thirds of the time where neighbours in it were
   * made one after the other. iptables-nft-restore takes a little longer then.
   */
  take({ readAll = false, inOrder = false }: { readonly readAll?: boolean; readonly inOrder?: boolean } = {}): string {
    const parts: string[] = [];
    for (const [table, { baseChains, jumps, chains, rules, deleted }] of this.#sections) {
      parts.push(`*${table}`, ...baseChains, ...jumps, ...(readAll && table === 'nat' ? ['-S'] : []));
      if (inOrder) chains.sort();
      for (const lines of [chains, rules, deleted]) {
        for (const line of lines) parts.push(line);
        lines.length = 0;
      }
      parts.push('COMMIT');
    }
    return `${parts.join('\n')}\n`;
  }

  #add(table: TableName, text: string, count: number): this {
    const section = this.#of(table);
    section.rules.push(text);
    section.ruleCount += count;
    return this;
  }

  #of(table: TableName): Section {
    const section = this.#sections.get(table) ?? {
      baseChains: [],
      jumps: [],
      chains: [],
      rules: [],
      deleted: [],
      ruleCount: 0,
    };
    this.#sections.set(table, section);
    return section;
  }
}

/** With so many rules it is worth to know how the program at hand finds chains: see RestoreScript.take. */
export const MANY_RULES = 1000;
