import { describe, expect, it } from 'vitest';
import { buildAddressPlan } from '../../../../src/cluster/config/address-plan.ts';
import { avoidOverlap } from '../../../../src/cluster/config/avoid-overlap.ts';
import { completeClusterConfig } from '../../../../src/cluster/config/parse-cluster-config.ts';

const config = completeClusterConfig({});

describe('ranges beside those of a container', () => {
  it('stay where nothing is in their way', () => {
    expect(avoidOverlap(config, ['172.17.0.2/16', 'fe80::1/64', '127.0.0.11/32']).network).toEqual(config.network);
  });

  it('give nodes and load balancers another place in the network of a Compose project', () => {
    const { network } = avoidOverlap(config, ['172.18.0.3/16']);
    expect(network.nodeCIDRs.IPv4).toBe('172.28.0.0/16');
    expect(network.loadBalancerCIDRs.IPv4).toBe('172.28.255.0/24');
    expect(network.podCIDRs).toEqual(config.network.podCIDRs);
  });

  it('leave room for the pods and the nameserver of the cluster that the container is a pod of', () => {
    const moved = avoidOverlap(config, ['10.244.3.7/24', '10.96.0.10/32']);
    expect(moved.network.podCIDRs.IPv4).toBe('10.245.0.0/16');
    expect(moved.network.serviceCIDRs.IPv4).toBe('10.97.0.0/16');
    expect(() => buildAddressPlan(moved)).not.toThrow();
  });

  it('are the user’s where the user chose them', () => {
    const chosen = completeClusterConfig({ spec: { network: { podCIDRs: { IPv4: '10.10.0.0/16' } } } });
    expect(avoidOverlap(chosen, ['10.10.1.2/24']).network.podCIDRs.IPv4).toBe('10.10.0.0/16');
  });
});
