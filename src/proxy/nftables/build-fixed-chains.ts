import type { Rule, Statement } from '../../netfilter/nftables/rule.ts';
import type { Chain, Hook } from '../../netfilter/nftables/table.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import { wordsOf } from './family-words.ts';
import {
  CLUSTER_IPS_CHECK,
  FIREWALL_CHECK,
  MARK_FOR_MASQUERADE,
  MASQUERADING,
  NODEPORT_ENDPOINTS_CHECK,
  REJECT_CHAIN,
  SERVICE_ENDPOINTS_CHECK,
  SERVICES,
} from './object-names.ts';
import { DROP, ifFromPod, isIn, jump, matches, REJECT, rule } from './phrases.ts';
import type { SharedSetName } from './shared-sets.ts';

/** Chains that do not depend on Services. docs/reference/hooks-and-priorities.md says why each hook has its priority. */
export function buildFixedChains(node: NodeNetwork): Chain[] {
  return [
    ...baseChains.map(({ name, hook, jumps }) => ({ name, hook, rules: jumps.map(buildJump) })),
    buildServices(node),
    { name: MARK_FOR_MASQUERADE, rules: [rule([setMark(node, '|')])] },
    buildMasquerading(node),
    { name: NODEPORT_ENDPOINTS_CHECK, rules: [dispatchNodePorts(node, 'no-endpoint-nodeports')] },
    { name: SERVICE_ENDPOINTS_CHECK, rules: [dispatchAddresses(node, 'no-endpoint-services')] },
    { name: FIREWALL_CHECK, rules: [dispatchAddresses(node, 'firewall-ips')] },
    buildClusterIPsCheck(node),
    {
      name: REJECT_CHAIN,
      comment: 'helper for @no-endpoint-services / @no-endpoint-nodeports',
      rules: [rule([REJECT])],
    },
  ];
}

interface BaseChain {
  readonly name: string;
  readonly hook: Hook;
  readonly jumps: readonly string[];
}

const beforeDnat = -110;
const dnat = -100;
const filter = 0;
const srcnat = 100;

// Source ranges look at addresses before DNAT; what has no endpoint or no Service is what DNAT left alone.
const baseChains: readonly BaseChain[] = [
  filterChain('filter-prerouting-pre-dnat', { hook: 'prerouting', priority: beforeDnat }, [FIREWALL_CHECK]),
  filterChain('filter-output-pre-dnat', { hook: 'output', priority: beforeDnat }, [FIREWALL_CHECK]),
  filterChain('filter-input', { hook: 'input', priority: filter }, [NODEPORT_ENDPOINTS_CHECK, SERVICE_ENDPOINTS_CHECK]),
  filterChain('filter-forward', { hook: 'forward', priority: filter }, [SERVICE_ENDPOINTS_CHECK, CLUSTER_IPS_CHECK]),
  filterChain('filter-output', { hook: 'output', priority: filter }, [SERVICE_ENDPOINTS_CHECK, CLUSTER_IPS_CHECK]),
  natChain('nat-prerouting', { hook: 'prerouting', priority: dnat }, SERVICES),
  natChain('nat-output', { hook: 'output', priority: dnat }, SERVICES),
  natChain('nat-postrouting', { hook: 'postrouting', priority: srcnat }, MASQUERADING),
];

type Place = Pick<Hook, 'hook' | 'priority'>;

function filterChain(name: string, place: Place, jumps: readonly string[]): BaseChain {
  return { name, hook: { type: 'filter', ...place, policy: 'accept' }, jumps };
}

function natChain(name: string, place: Place, chain: string): BaseChain {
  return { name, hook: { type: 'nat', ...place, policy: 'accept' }, jumps: [chain] };
}

// The kernel enters chains of type nat for new connections only; filter chains see every packet.
function buildJump(chain: string): Rule {
  const isNat = chain === SERVICES || chain === MASQUERADING;
  return rule(isNat ? [jump(chain)] : [matches('ct state', ['new']), jump(chain)]);
}

function buildServices(node: NodeNetwork): Chain {
  const masquerade = buildClusterIPMasquerade(node);
  return {
    name: SERVICES,
    rules: [
      ...(masquerade === undefined ? [] : [masquerade]),
      dispatchAddresses(node, 'service-ips'),
      dispatchNodePorts(node, 'service-nodeports'),
    ],
  };
}

function buildClusterIPMasquerade(node: NodeNetwork): Rule | undefined {
  const toClusterIP = isIn([wordsOf(node.family).destination], 'cluster-ips');
  if (node.masqueradeAll) return rule([toClusterIP, setMark(node, '|')], 'masquerade all clusterIP traffic');
  const notFromPod = ifFromPod(node, true);
  if (notFromPod === undefined) return undefined;
  return rule([toClusterIP, notFromPod, setMark(node, '|')], 'masquerade clusterIP traffic from outside cluster');
}

function setMark(node: NodeNetwork, operator: '|' | '^'): Statement {
  return { kind: 'set-mark', operator, bits: node.masqueradeMark };
}

// The mark is taken off so that a packet that passes netfilter again (IPsec, tunnels) is not masqueraded twice.
function buildMasquerading(node: NodeNetwork): Chain {
  const { source, destination } = wordsOf(node.family);
  const marked: Statement = { kind: 'mark', mask: node.masqueradeMark, value: 0, not: true };
  const hairpin = isIn([source, destination, 'meta l4proto', 'th dport'], 'hairpin-connections');
  const masquerade: Statement = { kind: 'masquerade', fullyRandom: true };
  return {
    name: MASQUERADING,
    rules: [
      rule([marked, setMark(node, '^'), masquerade]),
      rule([matches('ct status', ['dnat']), hairpin, masquerade]),
    ],
  };
}

function buildClusterIPsCheck(node: NodeNetwork): Chain {
  const { destination } = wordsOf(node.family);
  const toUnknownPort = rule(
    [isIn([destination], 'cluster-ips'), REJECT],
    'Reject traffic to invalid ports of ClusterIPs',
  );
  const toUnallocated = rule([matches(destination, node.serviceCIDRs), DROP], 'Drop traffic to unallocated ClusterIPs');
  return {
    name: CLUSTER_IPS_CHECK,
    rules: node.serviceCIDRs.length === 0 ? [toUnknownPort] : [toUnknownPort, toUnallocated],
  };
}

function dispatchAddresses(node: NodeNetwork, map: SharedSetName): Rule {
  const key = [wordsOf(node.family).destination, 'meta l4proto', 'th dport'] as const;
  return rule([{ kind: 'vmap', key, map: { name: map } }]);
}

function dispatchNodePorts(node: NodeNetwork, map: SharedSetName): Rule {
  const key = ['meta l4proto', 'th dport'] as const;
  return rule([...toNodePortAddress(node), { kind: 'vmap', key, map: { name: map } }]);
}

function toNodePortAddress(node: NodeNetwork): Statement[] {
  const { destination, loopback } = wordsOf(node.family);
  if (node.nodePortAddresses.kind === 'list') return [isIn([destination], 'nodeport-ips')];
  return [matches('fib daddr type', ['local']), matches(destination, [loopback], true)];
}
