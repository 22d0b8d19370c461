import { UserError } from '../../errors/towtank-error.ts';
import type { Tier } from '../../kernel/tier.ts';
import { type ClusterConfig, NETWORK_DEFAULTS } from './cluster-config.ts';

/**
 * The configuration as a tier can carry it out: what was left to the default is narrowed to what it can do. Throws UserError
 * ERR_TIER for what was asked for and cannot be had in it, with the reason.
 */
export function fitToTier(config: ClusterConfig, tier: Tier): ClusterConfig {
  if (tier === 'full') return config;
  const { network, nodes, dns } = config;
  if (network.cni !== 'ptp') throw refusal(tier, `cni ${network.cni}`, 'pods have no links of their own');
  if (dns.nodeLocalDNS) throw refusal(tier, 'nodeLocalDNS', 'nodes have no addresses of their own');
  if (new Set(nodes.map(({ proxyMode }) => proxyMode)).size > 1)
    throw refusal(tier, 'a proxyMode for each node', 'one kube-proxy serves all nodes');
  if (network.ipFamilies === NETWORK_DEFAULTS.ipFamilies)
    return { ...config, network: { ...network, ipFamilies: ['IPv4'] } };
  if (network.ipFamilies.includes('IPv6')) throw refusal(tier, 'IPv6', 'its addresses and loopback are IPv4');
  return config;
}

function refusal(tier: Tier, what: string, why: string): UserError {
  return new UserError({
    code: 'ERR_TIER',
    message: `the ${tier} tier cannot have ${what}: ${why}`,
    hint: 'towtank doctor shows the tiers and what each needs',
  });
}
