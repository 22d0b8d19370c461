import { describe, expect, it } from 'vitest';
import { fitToTier } from '../../../../src/cluster/config/fit-to-tier.ts';
import { completeClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const flat = (spec: object) => fitToTier(completeClusterConfig({ spec }), 'flat');

describe('a configuration in the flat tier', () => {
  it('has IPv4 only when nothing was said', () => {
    expect(flat({}).network.ipFamilies).toEqual(['IPv4']);
  });

  it.each([
    [{ network: { ipFamilies: ['IPv4', 'IPv6'] } }, 'IPv6'],
    [{ network: { cni: 'bridge' } }, 'cni bridge'],
    [{ nodes: [{ proxyMode: 'iptables' }, { proxyMode: 'nftables' }] }, 'a proxyMode for each node'],
    [{ proxy: { mode: 'userspace', userspace: { portalRules: 'none' } } }, 'portalRules none'],
  ])('refuses %j with the reason', (spec, what) => {
    expect(() => flat(spec)).toThrow(`the flat tier cannot have ${what}: `);
  });

  it('is left alone in the full tier', () => {
    const config = completeClusterConfig({});
    expect(fitToTier(config, 'full')).toBe(config);
  });
});

const loopback = (spec: object, overrides = {}) => fitToTier(completeClusterConfig({ spec }, overrides), 'loopback');

describe('a configuration in the loopback tier', () => {
  it('has IPv4 and userspace proxies when nothing was said', () => {
    const { network, nodes } = loopback({ nodes: [{ name: 'a' }, { name: 'b' }] });
    expect(network.ipFamilies).toEqual(['IPv4']);
    expect(nodes.map(({ proxyMode }) => proxyMode)).toEqual(['userspace', 'userspace']);
    expect(loopback({ proxy: { mode: 'userspace' } }).nodes).toHaveLength(3);
  });

  it.each([
    [{ network: { ipFamilies: ['IPv6'] } }, 'IPv6'],
    [{ network: { cni: 'bridge' } }, 'cni bridge'],
    [{ dns: { nodeLocalDNS: true } }, 'nodeLocalDNS'],
    [{ proxy: { mode: 'iptables' } }, 'proxy mode iptables'],
    [{ proxy: { userspace: { portalRules: 'iptables' } } }, 'portalRules iptables'],
    [{ nodes: [{ name: 'a' }, { name: 'b', proxyMode: 'nftables' }] }, 'proxy mode'],
  ])('refuses %j with the reason', (spec, what) => {
    expect(() => loopback(spec)).toThrow(`the loopback tier cannot have ${what}`);
  });

  it('refuses rules that a flag asks for', () => {
    expect(() => loopback({}, { proxyMode: 'iptables' })).toThrow('the loopback tier cannot have proxy mode iptables');
  });

  it('keeps its addresses to itself', () => {
    const config = completeClusterConfig({ spec: { network: { podCIDRs: { IPv4: '127.64.0.0/16' } } } });
    for (const tier of ['full', 'flat'] as const)
      expect(() => fitToTier(config, tier)).toThrow(`the ${tier} tier cannot have ranges of 127.0.0.0/8`);
  });
});
