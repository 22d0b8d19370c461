import { UserError } from '../../errors/towtank-error.ts';
import { type CIDR, parseCIDR, printCIDR } from '../../ipam/cidr.ts';
import { type ClusterConfig, NETWORK_DEFAULTS } from './cluster-config.ts';

type Network = ClusterConfig['network'];
const fields = ['nodeCIDRs', 'podCIDRs', 'serviceCIDRs', 'loadBalancerCIDRs'] as const;

/** How many clusters have room beside each other without ranges of their own. */
export const loopbackSlots = 32;

/** The network of the cluster with this number, 0 to 31: ranges of 127.0.0.0/8 that no other number has. */
export function loopbackNetwork(network: Network, slot: number): Network {
  const ranges = {
    nodeCIDRs: `127.${18 + slot}.0.0/16`,
    podCIDRs: `127.${64 + slot}.0.0/16`,
    serviceCIDRs: `127.${96 + slot}.0.0/16`,
    loadBalancerCIDRs: `127.${18 + slot}.255.0/24`,
  } as const;
  const chosen = fields.map((field) => [field, { ...network[field], IPv4: ranges[field] }]);
  return { ...network, ...(Object.fromEntries(chosen) as Pick<Network, (typeof fields)[number]>) };
}

/** Whether nothing was said of the ranges, so that they may be chosen. */
export function hasDefaultRanges(network: Network): boolean {
  return fields.every((field) => network[field].IPv4 === NETWORK_DEFAULTS[field].IPv4);
}

/** Whether a range is one of 127.0.0.0/8. */
export function hasLoopbackRange(network: Network): boolean {
  return fields.some((field) => network[field].IPv4.startsWith('127.'));
}

/**
 * The blocks of 127.0.0.0/8 that a network takes, by the second number of their addresses: 127.18.0.0/16 takes 18, and 146, where
 * the loopback addresses of its places are. Throws ERR_TIER for ranges that are not there, or that are the machine's own.
 */
export function loopbackBlocks(network: Network): readonly number[] {
  const blocks = fields.flatMap((field) => blocksOf(field, parseCIDR(network[field].IPv4)));
  return [...new Set(blocks)].sort((a, b) => a - b);
}

function blocksOf(field: string, range: CIDR): readonly number[] {
  const blockOf = (address: bigint): number => Number((address >> 16n) & 127n);
  const isThere = range.first >> 24n === 127n && range.prefixLength >= 9;
  const count = Number((range.last >> 16n) - (range.first >> 16n)) + 1;
  const blocks = Array.from({ length: count }, (_, index) => blockOf(range.first) + index);
  if (isThere && !blocks.includes(0)) return blocks;
  throw new UserError({
    code: 'ERR_TIER',
    message: `the loopback tier cannot have ${field} ${printCIDR(range)}: without privileges there are 127.1.0.0 to 127.127.255.255`,
    hint: 'leave the ranges away, or take some of those',
  });
}
