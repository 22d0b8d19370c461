import { printRules } from '../../netfilter/iptables/print-ruleset.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import { buildForward, buildMarkMasq } from './build-fixed-chains.ts';
import { CANARY } from './chain-names.ts';

/**
 * An input of iptables-restore that changes nothing and fails when our rules are gone. kube-proxy looks for the canary in
 * mangle only, which is cheap at any size, and misses a flush of another table alone; `everyTable` looks at the others too.
 */
export function checkScript(node: NodeNetwork, { everyTable }: { readonly everyTable: boolean }): string {
  const sections = [`*mangle\n-S ${CANARY}`];
  if (everyTable) {
    sections.push(`*nat\n${checks(buildMarkMasq(node))}`);
    sections.push(`*filter\n${checks(buildForward(node, { conntrackTcpBeLiberal: true }))}`);
  }
  return sections.map((section) => `${section}\nCOMMIT\n`).join('');
}

const checks = (chain: Chain): string =>
  printRules(chain)
    .map((line) => line.replace(/^-A/, '-C'))
    .join('\n');
