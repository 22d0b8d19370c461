import { printRule } from '../../netfilter/iptables/print-rule.ts';
import { printRules } from '../../netfilter/iptables/print-ruleset.ts';
import type { Chain, TableName } from '../../netfilter/iptables/ruleset.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { PortChange } from './applied-rules.ts';
import {
  buildForward,
  buildKubeletFirewall,
  buildMarkMasq,
  buildNodePortJumps,
  buildPostrouting,
  type FixedOptions,
  hasLocalhostNodePorts,
} from './build-fixed-chains.ts';
import { CANARY, EXTERNAL_SERVICES, KUBELET_FIREWALL, NODE_PORTS, PROXY_FIREWALL, SERVICES } from './chain-names.ts';
import { type ExistingRules, staleChains } from './existing-rules.ts';
import type { AppliedPort, RenderedPort } from './rendered-port.ts';
import type { RestoreScript } from './restore-script.ts';
import type { DispatchEdit, SharedChains } from './shared-chains.ts';

/** Chains that all Services share, in the order of their writing. */
export const SHARED: readonly { readonly table: TableName; readonly chain: string }[] = [
  { table: 'filter', chain: SERVICES },
  { table: 'filter', chain: EXTERNAL_SERVICES },
  { table: 'filter', chain: NODE_PORTS },
  { table: 'filter', chain: PROXY_FIREWALL },
  { table: 'nat', chain: SERVICES },
  { table: 'nat', chain: NODE_PORTS },
];

/** Writes what does not depend on Services: canaries, fixed chains, missing jumps from the built-in chains. */
export function writeFixed(
  script: RestoreScript,
  {
    node,
    options,
    existing,
  }: { readonly node: NodeNetwork; readonly options: FixedOptions; readonly existing: ExistingRules },
): void {
  for (const table of ['mangle', 'filter', 'nat'] as const) script.baseChain(table, CANARY);
  writeChain(script, 'filter', buildForward(node, options));
  // The kubelet may own KUBE-FIREWALL: without a rule of ours it is not touched.
  if (hasLocalhostNodePorts(node)) {
    script.baseChain('filter', KUBELET_FIREWALL).jumps('filter', printRules(buildKubeletFirewall(node)));
  } else if (existing.chains.get('filter')?.has(KUBELET_FIREWALL) !== true)
    script.baseChain('filter', KUBELET_FIREWALL);
  writeChain(script, 'nat', buildPostrouting(node));
  writeChain(script, 'nat', buildMarkMasq(node));
  for (const { table, from, rule } of existing.missingJumps) script.jumps(table, [`-I ${from} ${printRule(rule)}`]);
}

/** How many rules of a table belong to the proxy but to no Service. */
export function countFixed(node: NodeNetwork, options: FixedOptions): Readonly<Record<'filter' | 'nat', number>> {
  const chains = [buildPostrouting(node), buildMarkMasq(node)];
  const jumps = buildNodePortJumps(node).length;
  return {
    filter: buildForward(node, options).rules.length,
    nat: jumps + chains.reduce((sum, { rules }) => sum + rules.length, 0),
  };
}

function writeChain(script: RestoreScript, table: TableName, chain: Chain): void {
  script.baseChain(table, chain.name).rules(table, printRules(chain));
}

/** Writes the shared chains from scratch. */
export function writeShared(script: RestoreScript, shared: SharedChains, node: NodeNetwork): void {
  for (const { table, chain } of SHARED) {
    script.baseChain(table, chain).rules(
      table,
      shared.rulesOf(table, chain).map((rule) => `-A ${chain} ${rule}`),
    );
  }
  script.rules('nat', printRules({ name: SERVICES, rules: buildNodePortJumps(node) }));
}

/** Changes single rules of the shared chains. */
export function writeEdits(script: RestoreScript, edits: readonly DispatchEdit[]): void {
  for (const { kind, line, ...rest } of edits) {
    const position = 'position' in rest ? ` ${rest.position}` : '';
    const command = kind === 'delete' ? `-D ${line.chain}` : `-I ${line.chain}${position}`;
    script.rules(line.table, [`${command} ${line.rule}`]);
  }
}

/** Writes the chains of a ServicePort: new and different ones, and removes those no longer needed. */
export function writePort(script: RestoreScript, { previous, current }: PortChange): void {
  const changed = [...(current?.chains.values() ?? [])].filter(({ name }) => !isUnchanged(name, previous, current!));
  if (changed.length > 0) script.filledChains('nat', changed);
  for (const name of previous?.chains ?? []) {
    if (current?.chains.has(name) !== true) script.deleteChain('nat', name);
  }
}

/** Removes chains of Services that exist but belong to no ServicePort any more. */
export function writeStale(script: RestoreScript, existing: ExistingRules, active: ReadonlySet<string>): void {
  for (const name of staleChains(existing, active)) script.deleteChain('nat', name);
}

// The chain of an endpoint depends on nothing but the ServicePort and the address that its name is made of.
function isUnchanged(name: string, previous: AppliedPort | undefined, current: RenderedPort): boolean {
  return (
    previous !== undefined &&
    name.startsWith('KUBE-SEP-') &&
    previous.selected.port === current.selected.port &&
    previous.largeCluster === current.largeCluster &&
    previous.chains.has(name)
  );
}
