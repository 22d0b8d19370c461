import { printRule } from '../../netfilter/iptables/print-rule.ts';
import { printRules } from '../../netfilter/iptables/print-ruleset.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import { buildForward, buildMarkMasq, buildNodePortJumps } from './build-fixed-chains.ts';
import { CANARY, SERVICES } from './chain-names.ts';
import { JUMPS } from './jumps.ts';

export interface CheckOptions {
  /** Look at tables other than mangle too. */
  readonly everyTable: boolean;
  /** Look at the jumps of built-in chains and the end of KUBE-SERVICES too, for which iptables reads whole tables. */
  readonly jumps: boolean;
}

/**
 * An input of iptables-restore that changes nothing and fails when our rules are gone. kube-proxy looks for the canary in
 * mangle only, which is cheap at any size, and misses a flush of another table or of a built-in chain alone; the
 * options look at these too.
 */
export function checkScript(node: NodeNetwork, { everyTable, jumps }: CheckOptions): string {
  const sections = [['*mangle', `-S ${CANARY}`]];
  if (everyTable) {
    const end = checks({ name: SERVICES, rules: buildNodePortJumps(node) });
    const forward = buildForward(node, { conntrackTcpBeLiberal: true });
    sections.push(['*nat', ...checks(buildMarkMasq(node)), ...(jumps ? [...jumpsOf('nat'), ...end] : [])]);
    sections.push(['*filter', ...checks(forward), ...(jumps ? jumpsOf('filter') : [])]);
  }
  return sections.map((lines) => `${lines.join('\n')}\nCOMMIT\n`).join('');
}

const checks = (chain: Chain): string[] => printRules(chain).map((line) => line.replace(/^-A/, '-C'));

const jumpsOf = (table: 'nat' | 'filter'): string[] =>
  JUMPS.filter((jump) => jump.table === table).map(({ from, rule }) => `-C ${from} ${printRule(rule)}`);
