import { KernelCommandError } from '../../src/errors/kernel-command-error.ts';
import { parseRule } from '../../src/netfilter/iptables/parse-rule.ts';
import { printRule } from '../../src/netfilter/iptables/print-rule.ts';
import { printRuleset } from '../../src/netfilter/iptables/print-ruleset.ts';
import { printRestore, type RestoreInput } from '../../src/netfilter/iptables/restore-input.ts';
import type { Rule } from '../../src/netfilter/iptables/rule.ts';
import type { Chain, IptablesRuleset, Table, TableName } from '../../src/netfilter/iptables/ruleset.ts';
import type { Family, IptablesRunner } from '../../src/netfilter/runner.ts';

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
};
const TARGETS = new Set(['ACCEPT', 'DROP', 'RETURN']);

type Chains = Map<string, string[]>;

/**
 * iptables in memory: each table of a restore is one transaction, and everything that the kernel would refuse is refused
 * (missing chains, jumps into nothing, deletion of what is not there or still used).
 */
export class FakeIptables implements IptablesRunner {
  readonly restored: string[] = [];
  /** Rules that the kernel is to refuse. */
  refuse: (rule: string) => boolean = () => false;
  /** True when somebody else has the lock of iptables at this restore, counted from 1. */
  isLocked: (restore: number) => boolean = () => false;
  /** What the kernel says of its rules; a test tells it that somebody changed some. */
  generation: NonNullable<IptablesRunner['generation']> = async () => undefined;
  /** What `iptables --version` names. */
  kernelInterface: 'nf_tables' | 'legacy' = 'nf_tables';
  readonly #families: Record<Family, Map<TableName, Chains>> = { ipv4: new Map(), ipv6: new Map() };

  async restore(family: Family, input: RestoreInput, options: { readonly noflush: boolean }): Promise<void> {
    const text = printRestore(input);
    this.restored.push(text);
    if (this.isLocked(this.restored.length)) throw failure('Another app is currently holding the xtables lock.', 4);
    if (!options.noflush) throw new Error('a restore without --noflush would remove foreign rules');
    let name: TableName | undefined;
    let draft: Chains = new Map();
    for (const [index, line] of text.split('\n').entries()) {
      if (line.startsWith('*')) {
        name = line.slice(1) as TableName;
        draft = this.#copy(family, name);
      } else if (line === 'COMMIT') {
        this.#check(draft, index + 1);
        this.#families[family].set(name!, draft);
      } else if (line !== '') this.#run(draft, line, index + 1);
    }
  }

  async save(family: Family, table?: string): Promise<string> {
    const ruleset = this.ruleset(family);
    const tables = [...ruleset.tables].filter(([name]) => table === undefined || name === table);
    return printRuleset({ ...ruleset, tables: new Map(tables) });
  }

  async run(family: Family, args: readonly string[]) {
    const [, table = 'filter', , chain = ''] = args;
    if (args[0] === '--version')
      return { exitCode: 0, stdout: `iptables v1.8.9 (${this.kernelInterface})`, stderr: '' };
    const rules = this.#families[family].get(table as TableName)?.get(chain);
    if (rules === undefined) throw failure(`No chain/target/match by that name: ${table} ${chain}`, 1);
    return {
      exitCode: 0,
      stdout: [`-N ${chain}`, ...rules.map((rule) => `-A ${chain} ${rule}`)].join('\n'),
      stderr: '',
    };
  }

  /** What is in the kernel, as data. */
  ruleset(family: Family): IptablesRuleset {
    const tables = [...this.#families[family]].map(([name, chains]): [TableName, Table] => {
      const entries = [...chains].map(([chain, rules]): [string, Chain] => [
        chain,
        {
          name: chain,
          ...(BUILT_IN[name]!.includes(chain) && { policy: 'ACCEPT' as const }),
          rules: rules.map((rule): Rule => parseRule(rule)),
        },
      ]);
      return [name, { name, chains: new Map(entries) }];
    });
    return { family, tables: new Map(tables) };
  }

  /** Empties a table and removes its chains, as somebody else's `iptables -F; iptables -X`. */
  flush(family: Family, table: TableName): void {
    this.#families[family].delete(table);
  }

  /** Empties one chain, as somebody else's `iptables -F CHAIN`. */
  flushChain(family: Family, table: TableName, chain: string): void {
    this.#families[family].get(table)?.set(chain, []);
  }

  #copy(family: Family, table: TableName): Chains {
    const present = this.#families[family].get(table);
    if (present !== undefined) return new Map([...present].map(([name, rules]) => [name, [...rules]]));
    return new Map(BUILT_IN[table]!.map((name) => [name, []]));
  }

  #run(chains: Chains, line: string, number: number): void {
    if (line.startsWith(':')) return void chains.set(line.slice(1).split(' ')[0]!, []);
    const [, command = '', name = '', rest = ''] = /^-([A-Z]) ?(\S*) ?(.*)$/.exec(line) ?? [];
    if (command === 'S' && name === '') return;
    const rules = chains.get(name);
    if (rules === undefined) throw failure(`line ${number}: no chain ${name}`, 2);
    if (command === 'S') return;
    if (command === 'C') {
      if (rules.includes(printRule(parseRule(rest)))) return;
      throw failure(`line ${number}: Bad rule (does a matching rule exist in that chain?)`, 1);
    }
    if (command === 'X') {
      if (rules.length > 0) throw failure(`line ${number}: chain ${name} is not empty`, 4);
      chains.delete(name);
      return;
    }
    const [, position = '1', text = ''] = command === 'I' ? (/^(\d+)? ?(.*)$/.exec(rest) ?? []) : ['', '', rest];
    const rule = printRule(parseRule(text));
    if (this.refuse(rule)) throw failure(`line ${number}: RULE_APPEND failed (Invalid argument)`, 4);
    if (command === 'A') rules.push(rule);
    else if (command === 'I') insert(rules, rule, Number(position || '1'));
    else remove(rules, rule, number);
  }

  #check(chains: Chains, number: number): void {
    for (const [name, rules] of chains) {
      for (const rule of rules) {
        const target = parseRule(rule).target;
        if (target?.kind === 'jump' && !chains.has(target.chain) && !TARGETS.has(target.chain)) {
          throw failure(`line ${number}: chain ${name} jumps to ${target.chain}, which does not exist`, 1);
        }
      }
    }
  }
}

function insert(rules: string[], rule: string, position: number): void {
  if (position > rules.length + 1) throw failure(`no position ${position} in a chain of ${rules.length} rules`, 4);
  rules.splice(position - 1, 0, rule);
}

function remove(rules: string[], rule: string, number: number): void {
  const index = rules.indexOf(rule);
  if (index === -1) throw failure(`line ${number}: Bad rule (does a matching rule exist in that chain?)`, 1);
  rules.splice(index, 1);
}

function failure(stderr: string, exitCode: number): KernelCommandError {
  return new KernelCommandError({ command: 'iptables-restore', netns: undefined, exitCode, stderr });
}
