import type { Node } from '../../kube/generated/types.ts';
import { canonicalAddress, familyOf, parsePrefix, printPrefix } from '../../netfilter/address.ts';
import type { Family } from '../../netfilter/runner.ts';
import { type ProxyConfig, rulesModeOf } from '../config/proxy-config.ts';
import type { LocalDetector, NodeNetwork } from './node-network.ts';
import { resolveNodePortAddresses } from './node-port-addresses.ts';

export interface NodeNetworkInput {
  readonly config: ProxyConfig;
  readonly nodeName: string;
  readonly family: Family;
  /** The Node object, as far as it is known. */
  readonly node: Node | undefined;
  /** Addresses of all interfaces of the node, loopback included. */
  readonly localAddresses: readonly string[];
  /** CIDRs of ServiceCIDR objects, both families. */
  readonly serviceCIDRs: readonly string[];
}

const LOOPBACK = { ipv4: '127.0.0.1', ipv6: '::1' } as const;
const ANY = new Set(['0.0.0.0', '::', '']);

/** Builds the node facts of one family; undefined while mode NodeCIDR waits for the node's pod CIDRs. */
export function buildNodeNetwork(input: NodeNetworkInput): NodeNetwork | undefined {
  const { config, node, family } = input;
  const localDetector = detectLocal(input);
  if (localDetector === undefined) return undefined;
  const nodeIP = nodeAddress(node, family, config.bindAddress);
  const gates = config.featureGates;
  return {
    nodeName: input.nodeName,
    family,
    nodeIP,
    zone: node?.metadata?.labels?.['topology.kubernetes.io/zone'] ?? '',
    nodePortAddresses: resolveNodePortAddresses({
      family,
      cidrs: config.nodePortAddresses,
      mode: rulesModeOf(config),
      localAddresses: input.localAddresses,
      nodeIP,
    }),
    localDetector,
    masqueradeAll: config.masqueradeAll,
    masqueradeMark: (1 << config.masqueradeBit) >>> 0,
    localhostNodePorts: config.localhostNodePorts,
    balancing: config.balancing,
    // Only nftables mode looks at them; a change of node facts costs a full sync.
    serviceCIDRs: rulesModeOf(config) === 'nftables' ? ofFamily(input.serviceCIDRs, family) : [],
    serviceTrafficDistribution: gates['ServiceTrafficDistribution'] ?? true,
    preferSameTrafficDistribution: gates['PreferSameTrafficDistribution'] ?? true,
  };
}

/** The node's primary address of a family: bind address, else the first InternalIP, else ExternalIP, else loopback. */
export function nodeAddress(node: Node | undefined, family: Family, bindAddress = ''): string {
  if (!ANY.has(bindAddress) && familyOf(bindAddress) === family) return canonicalAddress(bindAddress)!;
  const addresses = node?.status?.addresses ?? [];
  for (const wanted of ['InternalIP', 'ExternalIP']) {
    const found = addresses.find(({ type, address }) => type === wanted && familyOf(address) === family);
    if (found !== undefined) return canonicalAddress(found.address)!;
  }
  return LOOPBACK[family];
}

function detectLocal({ config, node, family }: NodeNetworkInput): LocalDetector | undefined {
  switch (config.detectLocalMode) {
    case 'ClusterCIDR':
      return detectByCIDR(config.clusterCIDRs, family);
    case 'NodeCIDR':
      return node?.spec?.podCIDRs === undefined ? undefined : detectByCIDR(node.spec.podCIDRs, family);
    case 'BridgeInterface':
      return { kind: 'interface', name: config.bridgeInterface };
    case 'InterfaceNamePrefix':
      return { kind: 'interface-prefix', prefix: config.interfaceNamePrefix };
  }
}

function detectByCIDR(cidrs: readonly string[], family: Family): LocalDetector {
  const [cidr] = ofFamily(cidrs, family);
  return cidr === undefined ? { kind: 'none' } : { kind: 'cidr', cidr };
}

function ofFamily(cidrs: readonly string[], family: Family): string[] {
  return cidrs.flatMap((cidr) => {
    const prefix = parsePrefix(cidr);
    return prefix?.family === family ? [printPrefix(prefix)] : [];
  });
}
