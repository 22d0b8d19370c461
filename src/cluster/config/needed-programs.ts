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
  return [
    ...(modes.has('iptables') ? iptables : []),
    ...(modes.has('nftables') || modes.has('userspace') ? ['nft'] : []),
  ];
}
