import { printRule } from './print-rule.ts';
import type { Chain, IptablesRuleset, Table } from './ruleset.ts';

/** The ruleset as iptables-save prints it and iptables-restore reads it; chains in their order of declaration. */
export function printRuleset(ruleset: IptablesRuleset): string {
  return [...ruleset.tables.values()].map(printTable).join('');
}

function printTable(table: Table): string {
  const chains = [...table.chains.values()];
  const lines = [`*${table.name}`, ...chains.map(printDeclaration), ...chains.flatMap(printRules), 'COMMIT', ''];
  return lines.join('\n');
}

function printDeclaration(chain: Chain): string {
  return `:${chain.name} ${chain.policy ?? '-'} [0:0]`;
}

/** The rules of a chain, one `-A CHAIN ...` line each. */
export function printRules(chain: Chain): string[] {
  return chain.rules.map((rule) => `-A ${chain.name} ${printRule(rule)}`);
}
