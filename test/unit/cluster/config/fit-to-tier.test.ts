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
