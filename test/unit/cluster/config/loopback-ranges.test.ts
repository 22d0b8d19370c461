import { describe, expect, it } from 'vitest';
import { buildAddressPlan } from '../../../../src/cluster/config/address-plan.ts';
import {
  hasDefaultRanges,
  loopbackBlocks,
  loopbackNetwork,
  loopbackSlots,
} from '../../../../src/cluster/config/loopback-ranges.ts';
import { completeClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const config = completeClusterConfig({});
const ranged = (network: object) => completeClusterConfig({ spec: { network } }).network;

describe('the ranges of loopback clusters', () => {
  it('are blocks that no two of them share, and none of them is the machine’s own', () => {
    const all = Array.from({ length: loopbackSlots }, (_, slot) =>
      loopbackBlocks(loopbackNetwork(config.network, slot)),
    ).flat();
    expect(new Set(all).size).toBe(3 * loopbackSlots);
    expect(all).not.toContain(0);
    // The other half is for the loopback addresses of places.
    expect(Math.max(...all)).toBeLessThan(128);
  });

  it('have room for as many nodes as a cluster may have', () => {
    const nodes = Array.from({ length: 250 }, (_, index) => ({ ...config.nodes[0]!, name: `node-${index + 1}` }));
    const network = { ...loopbackNetwork(config.network, loopbackSlots - 1), ipFamilies: ['IPv4'] } as const;
    const plan = buildAddressPlan({ ...config, nodes, network });
    expect(plan.nodes.at(-1)).toMatchObject({ addresses: ['127.49.0.251'], podCIDRs: ['127.95.249.0/24'] });
    expect(plan.clusterDNS).toEqual(['127.127.0.10']);
  });

  it('are chosen only where nobody has chosen any', () => {
    expect(hasDefaultRanges(config.network)).toBe(true);
    expect(hasDefaultRanges(ranged({ podCIDRs: { IPv4: '127.70.0.0/16' } }))).toBe(false);
  });

  it('take every block that they touch', () => {
    const own = { ...loopbackNetwork(config.network, 0), podCIDRs: { IPv4: '127.64.0.0/14', IPv6: 'fd00::/56' } };
    expect(loopbackBlocks(own)).toEqual([18, 64, 65, 66, 67, 96]);
  });

  it.each(['10.244.0.0/16', '127.0.0.0/16', '127.0.0.0/8', '127.128.0.0/16', '126.0.0.0/7'])(
    'cannot be %s',
    (range) => {
      const network = { ...loopbackNetwork(config.network, 0), podCIDRs: { IPv4: range, IPv6: 'fd00::/56' } };
      expect(() => loopbackBlocks(network)).toThrow(
        expect.objectContaining({ code: 'ERR_TIER', message: expect.stringContaining('cannot have podCIDRs') }),
      );
    },
  );
});
