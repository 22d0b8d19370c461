import { type CIDR, overlaps, parseCIDR } from '../../ipam/cidr.ts';
import { type ClusterConfig, NETWORK_DEFAULTS } from './cluster-config.ts';

// Private ranges that container engines and clusters seldom take by themselves, tried in this order.
const alternatives = {
  nodeCIDRs: ['172.28.0.0/16', '172.29.0.0/16', '172.30.0.0/16', '172.31.0.0/16', '10.172.0.0/16'],
  podCIDRs: ['10.245.0.0/16', '10.246.0.0/16', '10.247.0.0/16', '10.144.0.0/16'],
  serviceCIDRs: ['10.97.0.0/16', '10.98.0.0/16', '10.99.0.0/16', '10.196.0.0/16'],
} as const;

/**
 * The configuration with other IPv4 ranges instead of default ones that lie in networks that are `taken`, given as prefixes. What
 * the user chose stays.
 */
export function avoidOverlap(config: ClusterConfig, taken: readonly string[]): ClusterConfig {
  const networks = taken.filter((text) => !text.includes(':')).map(parseCIDR);
  const { network } = config;
  const choose = (field: keyof typeof alternatives): string => {
    const present = network[field].IPv4;
    if (present !== NETWORK_DEFAULTS[field].IPv4 || isFree(present, networks)) return present;
    return alternatives[field].find((range) => isFree(range, networks)) ?? present;
  };
  const nodes = choose('nodeCIDRs');
  const isMoved = nodes !== network.nodeCIDRs.IPv4;
  return {
    ...config,
    network: {
      ...network,
      nodeCIDRs: { ...network.nodeCIDRs, IPv4: nodes },
      podCIDRs: { ...network.podCIDRs, IPv4: choose('podCIDRs') },
      serviceCIDRs: { ...network.serviceCIDRs, IPv4: choose('serviceCIDRs') },
      loadBalancerCIDRs: {
        ...network.loadBalancerCIDRs,
        // In the place among the nodes' addresses that it has by default.
        IPv4: isMoved ? nodes.replace('.0.0/16', '.255.0/24') : network.loadBalancerCIDRs.IPv4,
      },
    },
  };
}

function isFree(range: string, networks: readonly CIDR[]): boolean {
  return networks.every((network) => !overlaps(parseCIDR(range), network));
}
