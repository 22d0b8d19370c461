import { UserError } from '../../errors/towtank-error.ts';
import type { Tier } from '../../kernel/tier.ts';
import { type ClusterConfig, NETWORK_DEFAULTS } from './cluster-config.ts';
import { hasLoopbackRange } from './loopback-ranges.ts';

/**
 * The configuration as a tier can carry it out: what was left to the default is narrowed to what it can do. Throws UserError
 * ERR_TIER for what was asked for and cannot be had in it, with the reason.
 */
export function fitToTier(config: ClusterConfig, tier: Tier): ClusterConfig {
  const { network, nodes, dns, proxy } = config;
  if (tier !== 'loopback' && hasLoopbackRange(network))
    throw refusal(tier, 'ranges of 127.0.0.0/8', 'they are for sockets without a network of their own');
  if (tier === 'full') return config;
  if (network.cni !== 'ptp') throw refusal(tier, `cni ${network.cni}`, 'pods have no links of their own');
  if (dns.nodeLocalDNS) throw refusal(tier, 'nodeLocalDNS', 'nodes have no addresses of their own');
  if (tier === 'flat' && proxy.userspace?.portalRules === 'none')
    throw refusal(tier, 'portalRules none', 'addresses of Services would be those of the whole container');
  if (tier === 'flat' && new Set(nodes.map(({ proxyMode }) => proxyMode)).size > 1)
    throw refusal(tier, 'a proxyMode for each node', 'one kube-proxy serves all nodes');
  return { ...config, nodes: fitModes(config, tier), network: fitFamilies(network, tier) };
}

function fitModes({ nodes, proxy }: ClusterConfig, tier: Tier): ClusterConfig['nodes'] {
  if (tier !== 'loopback') return nodes;
  const ruled = nodes.find(({ proxyMode }) => proxyMode !== 'userspace');
  if (ruled !== undefined && proxy.isModeChosen === true)
    throw refusal(
      tier,
      `proxy mode ${ruled.proxyMode}`,
      'rules of the kernel need a privilege, and only userspace has none',
    );
  // The other kind of rules is the default, and stands for nothing having been said.
  if (proxy.userspace?.portalRules === 'iptables')
    throw refusal(tier, 'portalRules iptables', 'rules of the kernel need a privilege');
  return nodes.map((node) => ({ ...node, proxyMode: 'userspace' }));
}

function fitFamilies(network: ClusterConfig['network'], tier: Tier): ClusterConfig['network'] {
  if (network.ipFamilies === NETWORK_DEFAULTS.ipFamilies) return { ...network, ipFamilies: ['IPv4'] };
  const why = tier === 'flat' ? 'its addresses and loopback are IPv4' : 'IPv6 has one loopback address';
  if (network.ipFamilies.includes('IPv6')) throw refusal(tier, 'IPv6', why);
  return network;
}

function refusal(tier: Tier, what: string, why: string): UserError {
  return new UserError({
    code: 'ERR_TIER',
    message: `the ${tier} tier cannot have ${what}: ${why}`,
    hint: 'towtank doctor shows the tiers and what each needs',
  });
}
