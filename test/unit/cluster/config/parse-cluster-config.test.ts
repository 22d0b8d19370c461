import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const parse = (text: string): unknown => parseClusterConfig(text, 'cluster.yaml');

describe('parseClusterConfig', () => {
  it('fills in three iptables nodes and both families for an empty file', () => {
    const config = parseClusterConfig('', 'cluster.yaml');
    expect(config.nodes.map(({ name, proxyMode }) => `${name} ${proxyMode}`)).toEqual([
      'node-1 iptables',
      'node-2 iptables',
      'node-3 iptables',
    ]);
    expect(config.network.ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect(config.name).toBe('towtank');
  });

  it('lets each node choose its proxy mode', () => {
    const config = parseClusterConfig(
      'spec: {proxy: {mode: nftables}, nodes: [{name: a, proxyMode: iptables, zone: z1}, {}]}',
      'cluster.yaml',
    );
    expect(config.nodes).toEqual([
      { name: 'a', proxyMode: 'iptables', zone: 'z1', labels: {} },
      { name: 'node-2', proxyMode: 'nftables', zone: undefined, labels: {} },
    ]);
  });

  it('lets flags win over the file', () => {
    const config = parseClusterConfig('metadata: {name: a}\nspec: {nodes: 5}', 'f', {
      name: 'b',
      nodes: 2,
      proxyMode: 'nftables',
    });
    expect([config.name, config.nodes.length, config.nodes[0]?.proxyMode]).toEqual(['b', 2, 'nftables']);
  });

  it('reads how userspace mode works, and leaves out what is not said', () => {
    const userspace = (text: string) => parseClusterConfig(`spec: {proxy: {${text}}}`, 'f').proxy.userspace;
    expect(userspace('')).toBeUndefined();
    expect(userspace('userspace: {drainTimeout: 1m}')).toEqual({
      portalRules: 'nftables',
      limits: { drainMs: 60_000 },
    });
    expect(userspace('userspace: {portalRules: none, idleTimeout: 1h, udpIdleTimeout: 1s500ms}')).toEqual({
      portalRules: 'none',
      limits: { idleMs: 3_600_000, udpIdleMs: 1500 },
    });
  });

  it.each([
    ['spec: {proxy: {userspace: {idleTimeout: 30}}}', 'cluster.yaml: spec.proxy.userspace.idleTimeout: must be text'],
    [
      'spec: {proxy: {userspace: {drainTimeout: -1s}}}',
      'cluster.yaml: spec.proxy.userspace.drainTimeout: must be a duration such as 30s or 1h30m',
    ],
    [
      'spec: {proxy: {userspace: {udpIdleTimeout: 0s}}}',
      'cluster.yaml: spec.proxy.userspace.udpIdleTimeout: must be longer',
    ],
    ['spec: {nodez: 3}', 'cluster.yaml: spec.nodez: unknown field; known here: nodes, network, proxy, dns, api'],
    ['spec: {nodes: 0}', 'cluster.yaml: spec.nodes: must be a whole number from 1 to 250'],
    [
      'spec: {nodes: [{name: A_b}]}',
      'cluster.yaml: spec.nodes[0].name: must be a DNS label of at most 40 characters, not "client"',
    ],
    ['spec: {nodes: [{name: a}, {name: a}]}', 'cluster.yaml: spec.nodes[1]: the name a is used twice'],
    ['spec: {proxy: {mode: ipvs}}', 'cluster.yaml: spec.proxy.mode: must be one of iptables, nftables'],
    [
      'spec: {network: {ipFamilies: [IPv4, IPv4]}}',
      'cluster.yaml: spec.network.ipFamilies: must be IPv4, IPv6 or both, each once',
    ],
    [
      'spec: {network: {podCIDRs: {IPv4: fd00::/64}}}',
      'cluster.yaml: spec.network.podCIDRs.IPv4: must be an IPv4 CIDR such as 10.244.0.0/16',
    ],
    ['apiVersion: v2', 'cluster.yaml: apiVersion: must be one of towtank.dev/v1alpha1'],
    ['spec: [', 'cluster.yaml: '],
    ['- 1', 'cluster.yaml: document: must be an object'],
  ])('refuses %s and names the field', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});
