import { expect, test } from 'vitest';
import type { ClusterConfig, ProxyMode } from '../../../../src/cluster/config/cluster-config.ts';
import { NETWORK_DEFAULTS } from '../../../../src/cluster/config/cluster-config.ts';
import { neededPrograms } from '../../../../src/cluster/config/needed-programs.ts';

type Backend = ClusterConfig['proxy']['iptablesBackend'];

function programs(
  modes: readonly ProxyMode[],
  iptablesBackend: Backend,
  ipFamilies = NETWORK_DEFAULTS.ipFamilies,
  userspace?: ClusterConfig['proxy']['userspace'],
) {
  return neededPrograms({
    nodes: modes.map((proxyMode, index) => ({ name: `node-${index}`, proxyMode, labels: {} })),
    network: { ...NETWORK_DEFAULTS, ipFamilies },
    proxy: { balancing: 'random', iptablesBackend, userspace },
  });
}

test('a cluster needs the programs of its proxy modes, back end and families, each once', () => {
  expect(programs(['iptables', 'iptables'], 'auto', ['IPv4'])).toEqual([
    'iptables',
    'iptables-restore',
    'iptables-save',
  ]);
  expect(programs(['iptables', 'nftables'], 'legacy', ['IPv6'])).toEqual([
    'ip6tables-legacy',
    'ip6tables-legacy-restore',
    'ip6tables-legacy-save',
    'nft',
  ]);
  expect(programs(['nftables'], 'auto')).toEqual(['nft']);
  expect(programs(['userspace'], 'auto')).toEqual(['nft']);
});

test('userspace mode needs the program of the rules that lead to it, and none without rules', () => {
  const portal = (portalRules: 'iptables' | 'none') =>
    programs(['userspace'], 'auto', ['IPv4'], { portalRules, limits: {} });
  expect(portal('iptables')).toEqual(['iptables', 'iptables-restore', 'iptables-save']);
  expect(portal('none')).toEqual([]);
});
