import type { ChainRules, RestoreSection } from '../../netfilter/iptables/restore-input.ts';
import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import type { ChainText } from './rendered-port.ts';

interface Section {
  /** `:CHAIN` lines of chains that jumps lead to. */
  readonly baseChains: string[];
  /** Lines of the built-in chains and others that are shared. */
  readonly jumps: string[];
  /** `:CHAIN` lines: chains to create, or to empty when they exist. */
  readonly chains: string[];
  readonly rules: (string | ChainRules)[];
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
    const section = this.#of(table);
    section.rules.push(...lines);
    section.ruleCount += lines.length;
    return this;
  }

  /** Creates or empties chains and fills them. */
  filledChains(table: TableName, chains: Iterable<ChainText>): this {
    const section = this.#of(table);
    for (const chain of chains) {
      section.chains.push(`:${chain.name} - [0:0]`);
      if (chain.count === 0) continue;
      section.rules.push(chain);
      section.ruleCount += chain.count;
    }
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

  /** Number of rules that it writes into chains of a table that are the proxy's. */
  ruleCount(table: TableName): number {
    return this.#sections.get(table)?.ruleCount ?? 0;
  }

  /**
   * The commands, table by table. `readAll`: iptables-nft-restore collects the names of all chains in a sorted list by linear
   * search, which takes seconds for ten thousand of them; a command without a chain (`-S`, its output is ignored) makes it read
   * the whole table instead. It must come after what concerns the built-in chains, which are not created any more behind it.
   */
  sections({ readAll = false }: { readonly readAll?: boolean } = {}): RestoreSection[] {
    return [...this.#sections].map(([table, { baseChains, jumps, chains, rules, deleted }]) => {
      const before = [...baseChains, ...jumps, ...(readAll && table === 'nat' ? ['-S'] : []), ...chains];
      return { table, commands: (before as RestoreSection['commands'][number][]).concat(rules, deleted) };
    });
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

/** With so many rules it is worth to know how the program at hand finds chains: see RestoreScript.sections. */
export const MANY_RULES = 1000;
