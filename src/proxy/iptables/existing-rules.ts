import { parseRule } from '../../netfilter/iptables/parse-rule.ts';
import { printRule } from '../../netfilter/iptables/print-rule.ts';
import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import { isServiceChain } from './chain-names.ts';
import { JUMPS, type Jump } from './jumps.ts';

/** What a full sync has to know of the rules that are there already. */
export interface ExistingRules {
  /** Names of chains by table. */
  readonly chains: ReadonlyMap<TableName, ReadonlySet<string>>;
  /** Jumps from built-in chains into ours that are missing, in JUMPS' order. */
  readonly missingJumps: readonly Jump[];
  /** Jumps from built-in chains into KUBE- chains as `-A` arguments, by table. */
  readonly jumps: ReadonlyMap<TableName, readonly string[]>;
}

/** Reads iptables-save's output. Only chains and the rules of built-in chains are looked at, so it is quick at any size. */
export function readExisting(saved: string): ExistingRules {
  const chains = new Map<TableName, Set<string>>();
  const jumps = new Map<TableName, string[]>();
  let table: TableName = 'filter';
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) {
      table = line.slice(1) as TableName;
      chains.set(table, new Set());
      jumps.set(table, []);
    } else if (line.startsWith(':')) chains.get(table)?.add(line.slice(1, line.indexOf(' ')));
    else if (/^-A (INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) .*-j KUBE-/.test(line))
      jumps.get(table)?.push(line.slice(3));
  }
  const present = new Set([...jumps].flatMap(([name, lines]) => lines.map((line) => canonicalJump(name, line))));
  const missingJumps = JUMPS.filter((jump) => !present.has(`${jump.table} ${jump.from} ${printRule(jump.rule)}`));
  return { chains, jumps, missingJumps };
}

/** Chains of Services in table nat that are none of `active`. */
export function staleChains(existing: ExistingRules, active: ReadonlySet<string>): string[] {
  return [...(existing.chains.get('nat') ?? [])].filter((name) => isServiceChain(name) && !active.has(name));
}

function canonicalJump(table: string, line: string): string {
  const [, chain = '', rule = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
  return `${table} ${chain} ${printRule(parseRule(rule))}`;
}
