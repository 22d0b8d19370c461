import { TowtankError } from '../../errors/towtank-error.ts';
import type { Family } from '../runner.ts';
import { parseRule } from './parse-rule.ts';
import type { Rule } from './rule.ts';
import type { Chain, IptablesRuleset, Table, TableName } from './ruleset.ts';

interface OpenChain extends Chain {
  readonly rules: Rule[];
}

/** Reads what iptables-save prints (counters included or not), or a full input of iptables-restore. */
export function parseRuleset(family: Family, text: string): IptablesRuleset {
  const tables = new Map<TableName, Table>();
  let chains: Map<string, OpenChain> | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('*')) {
      chains = new Map();
      const name = line.slice(1).trim() as TableName;
      tables.set(name, { name, chains });
    } else if (line.startsWith(':')) declareChain(chains, line);
    else if (/^(\[\d+:\d+\] )?-A /.test(line)) appendRule(chains, line, index + 1);
    else if (line !== '' && line !== 'COMMIT' && !line.startsWith('#')) throw unreadable(line, index + 1);
  }
  return { family, tables };
}

function declareChain(chains: Map<string, OpenChain> | undefined, line: string): void {
  const [name = '', policy = '-'] = line.slice(1).split(' ');
  chains?.set(name, { name, ...(policy !== '-' && { policy: policy as 'ACCEPT' | 'DROP' }), rules: [] });
}

function appendRule(chains: Map<string, OpenChain> | undefined, line: string, number: number): void {
  const [, name = '', rule = ''] = /-A (\S+) ?(.*)$/.exec(line) ?? [];
  const chain = chains?.get(name);
  if (chain === undefined) throw unreadable(line, number);
  chain.rules.push(parseRule(rule));
}

function unreadable(line: string, number: number): TowtankError {
  return new TowtankError({
    code: 'ERR_PARSE_RULES',
    message: `line ${number} is no iptables-save output: ${line}`,
    hint: 'give the output of iptables-save or ip6tables-save',
  });
}
