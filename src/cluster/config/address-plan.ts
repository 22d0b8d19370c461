import { UserError } from '../../errors/towtank-error.ts';
import { addressAt, type CIDR, overlaps, parseCIDR, printCIDR, sizeOf } from '../../ipam/cidr.ts';
import { nodeCIDRAt, parseNodeCIDRRange } from '../../ipam/node-cidrs.ts';
import type { ClusterConfig, IPFamily, NodeConfig } from './cluster-config.ts';

export interface NodeAddresses extends NodeConfig {
  /** Addresses of eth0, primary family first, without prefix length. */
  readonly addresses: readonly string[];
  /** The same with the prefix length of the fabric. */
  readonly interfaceAddresses: readonly string[];
  readonly podCIDRs: readonly string[];
}

/** Every address of a cluster, as text; lists have one entry per family, primary family first. */
export interface AddressPlan {
  readonly families: readonly IPFamily[];
  /** The fabric's own addresses with prefix length: where the API server listens inside the sandbox. */
  readonly fabric: readonly string[];
  readonly apiServer: readonly string[];
  readonly nodes: readonly NodeAddresses[];
  /** The client that is not part of the cluster, with prefix length. */
  readonly client: readonly string[];
  /** The machine itself, where it joins the fabric, with prefix length. */
  readonly host: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
  readonly loadBalancerCIDRs: readonly string[];
  /** ClusterIPs of default/kubernetes and of kube-system/kube-dns. */
  readonly kubernetesService: readonly string[];
  readonly clusterDNS: readonly string[];
}

const FIRST_NODE = 2;
const CLIENT = 257;
const HOST = 258;

/** Gives every part of a cluster its addresses. Throws UserError ERR_INVALID_CONFIG for ranges that overlap or are too small. */
export function buildAddressPlan(config: ClusterConfig): AddressPlan {
  const { network } = config;
  const families = network.ipFamilies;
  const ranges = families.map((family) => readRanges(network, family));
  const first = (range: CIDR, offset: number): string => addressAt(range, offset);
  const withPrefix = (range: CIDR, address: string): string => `${address}/${range.prefixLength}`;
  return {
    families,
    fabric: ranges.map(({ nodes }) => withPrefix(nodes, first(nodes, 1))),
    apiServer: ranges.map(({ nodes }) => first(nodes, 1)),
    nodes: config.nodes.map((node, index) => {
      const addresses = ranges.map(({ nodes }) => first(nodes, FIRST_NODE + index));
      return {
        ...node,
        addresses,
        interfaceAddresses: addresses.map((address, family) => withPrefix(ranges[family]!.nodes, address)),
        podCIDRs: ranges.map(({ pods }) => nodeCIDRAt(parseNodeCIDRRange(printCIDR(pods)), index)),
      };
    }),
    client: ranges.map(({ nodes }) => withPrefix(nodes, first(nodes, clientOffset(nodes)))),
    host: ranges.map(({ nodes }) => withPrefix(nodes, first(nodes, HOST))),
    podCIDRs: ranges.map(({ pods }) => printCIDR(pods)),
    serviceCIDRs: ranges.map(({ services }) => printCIDR(services)),
    loadBalancerCIDRs: ranges.map(({ loadBalancers }) => printCIDR(loadBalancers)),
    kubernetesService: ranges.map(({ services }) => first(services, 1)),
    clusterDNS: ranges.map(({ services }) => first(services, 10)),
  };
}

interface Ranges {
  readonly nodes: CIDR;
  readonly pods: CIDR;
  readonly services: CIDR;
  readonly loadBalancers: CIDR;
}

function readRanges(network: ClusterConfig['network'], family: IPFamily): Ranges {
  const ranges: Ranges = {
    nodes: parseCIDR(network.nodeCIDRs[family]),
    pods: parseCIDR(network.podCIDRs[family]),
    services: parseCIDR(network.serviceCIDRs[family]),
    loadBalancers: parseCIDR(network.loadBalancerCIDRs[family]),
  };
  const refuse = (field: string, message: string): never => {
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `spec.network.${field}.${family}: ${message}`,
      hint: 'see docs/reference/cluster-yaml.md',
    });
  };
  if (overlaps(ranges.nodes, ranges.pods)) refuse('podCIDRs', 'overlaps nodeCIDRs');
  if (overlaps(ranges.nodes, ranges.services)) refuse('serviceCIDRs', 'overlaps nodeCIDRs');
  if (overlaps(ranges.pods, ranges.services)) refuse('serviceCIDRs', 'overlaps podCIDRs');
  if (sizeOf(ranges.services) < 32n) refuse('serviceCIDRs', 'must have at least 32 addresses');
  const { nodes, loadBalancers } = ranges;
  if (loadBalancers.first < nodes.first || loadBalancers.last > nodes.last)
    refuse('loadBalancerCIDRs', 'must lie inside nodeCIDRs');
  if (loadBalancers.first <= nodes.first + BigInt(HOST))
    refuse('loadBalancerCIDRs', `must begin after the first ${HOST} addresses of nodeCIDRs`);
  return ranges;
}

// The client stands apart from the nodes, so that its address reads differently from theirs.
function clientOffset(nodes: CIDR): number {
  if (sizeOf(nodes) <= BigInt(HOST + 2)) {
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `spec.network.nodeCIDRs: ${printCIDR(nodes)} is too small`,
      hint: 'a /22 or larger leaves room for nodes, client and load balancers',
    });
  }
  return CLIENT;
}
