import { describe, expect, it } from 'vitest';
import { buildAddressPlan } from '../../../../src/cluster/config/address-plan.ts';
import { completeClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const plan = (spec: unknown = {}) => buildAddressPlan(completeClusterConfig({ spec }));

describe('buildAddressPlan', () => {
  it('gives nodes, pods and the client the addresses that people know from kind', () => {
    const { nodes, client, clusterDNS, kubernetesService, apiServer } = plan();
    expect(nodes.map(({ addresses }) => addresses[0])).toEqual(['172.18.0.2', '172.18.0.3', '172.18.0.4']);
    expect(nodes[1]?.podCIDRs).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);
    expect(client).toEqual(['172.18.1.1/16', 'fc00:f853:ccd:e793::101/64']);
    expect(clusterDNS).toEqual(['10.96.0.10', 'fd00:10:96::a']);
    expect([kubernetesService[0], apiServer[0]]).toEqual(['10.96.0.1', '172.18.0.1']);
  });

  it('puts the primary family first', () => {
    expect(plan({ network: { ipFamilies: ['IPv6', 'IPv4'] } }).clusterDNS).toEqual(['fd00:10:96::a', '10.96.0.10']);
  });

  it('has room for 250 nodes', () => {
    expect(plan({ nodes: 250 }).nodes.at(-1)?.interfaceAddresses[0]).toBe('172.18.0.251/16');
  });

  it.each([
    [{ podCIDRs: { IPv4: '172.18.0.0/15' } }, 'spec.network.podCIDRs.IPv4: overlaps nodeCIDRs'],
    [{ serviceCIDRs: { IPv4: '10.244.0.0/16' } }, 'spec.network.serviceCIDRs.IPv4: overlaps podCIDRs'],
    [{ serviceCIDRs: { IPv4: '10.96.0.0/30' } }, 'must have at least 32 addresses'],
    [{ loadBalancerCIDRs: { IPv4: '192.168.0.0/24' } }, 'must lie inside nodeCIDRs'],
    [{ loadBalancerCIDRs: { IPv4: '172.18.0.0/24' } }, 'must begin after the first 258 addresses'],
  ])('refuses %j', (network, message) => {
    expect(() => plan({ network })).toThrow(message);
  });
});
