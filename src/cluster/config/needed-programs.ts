import type { RulesMode } from '../../proxy/config/proxy-config.ts';
import type { ClusterConfig } from './cluster-config.ts';

/** Names of the programs that the proxies of this cluster run. */
export function neededPrograms({
  network,
  nodes,
  proxy,
}: Pick<ClusterConfig, 'network' | 'nodes' | 'proxy'>): string[] {
  const modes = new Set(nodes.map(({ proxyMode }) => proxyMode));
  const suffix = proxy.iptablesBackend === 'auto' ? '' : `-${proxy.iptablesBackend}`;
  const iptables = network.ipFamilies.flatMap((family) => {
    const program = `${family === 'IPv6' ? 'ip6tables' : 'iptables'}${suffix}`;
    return [program, `${program}-restore`, `${program}-save`];
  });
  const portalRules = proxy.userspace?.portalRules ?? 'nftables';
  const needs = (mode: RulesMode): boolean => modes.has(mode) || (modes.has('userspace') && portalRules === mode);
  return [...(needs('iptables') ? iptables : []), ...(needs('nftables') ? ['nft'] : [])];
}
