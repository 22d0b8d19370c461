import { printRule } from '../../src/netfilter/iptables/print-rule.ts';
import type { Rule } from '../../src/netfilter/iptables/rule.ts';
import type { IptablesRuleset } from '../../src/netfilter/iptables/ruleset.ts';

/** Chains in which the order of Services is kube-proxy's map order, which differs from run to run. */
const UNORDERED = /^KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|PROXY-FIREWALL)$/;

/**
 * One line per chain and rule, for comparison: with its position where the order of rules counts. The kernel holds a
 * probability as a multiple of 2^-31; lines hold that number, so that spellings of one probability are equal.
 */
export function comparableRules(
  ruleset: IptablesRuleset,
  { unordered = UNORDERED }: { readonly unordered?: RegExp } = {},
): string[] {
  const lines: string[] = [];
  for (const table of ruleset.tables.values()) {
    for (const chain of table.chains.values()) {
      lines.push(`${table.name} :${chain.name} ${chain.policy ?? '-'}`);
      for (const [index, rule] of chain.rules.entries()) {
        const position = unordered.test(chain.name) ? '' : `${String(index).padStart(5, '0')} `;
        lines.push(`${table.name} ${chain.name} ${position}${printRule(onGrid(rule))}`);
      }
    }
  }
  return lines.sort();
}

function onGrid(rule: Rule): Rule {
  const matches = rule.matches.map((match) =>
    match.kind === 'statistic-random'
      ? { ...match, probability: `${Math.round(Number(match.probability) * 2 ** 31)}/2^31` }
      : match,
  );
  return { ...rule, matches };
}
