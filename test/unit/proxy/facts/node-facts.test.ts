import { describe, expect, it } from 'vitest';
import { DEFAULT_PROXY_CONFIG, type ProxyConfig } from '../../../../src/proxy/config/proxy-config.ts';
import { buildNodeNetwork } from '../../../../src/proxy/facts/build-node-network.ts';
import { resolveNodePortAddresses } from '../../../../src/proxy/facts/node-port-addresses.ts';
import { buildNode } from '../../../helpers/build-objects.ts';

function build(config: Partial<ProxyConfig> = {}, node = buildNode({ ips: ['172.18.0.2', 'fd00::2'] })) {
  return (['ipv4', 'ipv6'] as const).map((family) =>
    buildNodeNetwork({
      config: { ...DEFAULT_PROXY_CONFIG, ...config },
      nodeName: 'node-1',
      family,
      node,
      localAddresses: ['172.18.0.2', 'fd00::2', '127.0.0.1', '::1'],
      serviceCIDRs: ['10.96.0.0/12', 'fd00:96::/112'],
    }),
  );
}

describe('the facts of a node', () => {
  it('have the primary address of each family, loopback without one', () => {
    expect(build().map((facts) => facts?.nodeIP)).toEqual(['172.18.0.2', 'fd00::2']);
    expect(build({}, buildNode({ ips: [] })).map((facts) => facts?.nodeIP)).toEqual(['127.0.0.1', '::1']);
    expect(build({ bindAddress: '172.18.0.9' }).map((facts) => facts?.nodeIP)).toEqual(['172.18.0.9', 'fd00::2']);
  });

  it('prefer InternalIP to ExternalIP', () => {
    const addresses = [
      { type: 'ExternalIP', address: '198.51.100.1' },
      { type: 'InternalIP', address: '172.18.0.2' },
    ];
    expect(build({}, buildNode({ status: { addresses } }))[0]?.nodeIP).toBe('172.18.0.2');
  });

  it.each([
    [{ clusterCIDRs: ['10.244.0.0/16', 'fd00:10::/56'] }, '10.244.0.0/16', 'fd00:10::/56'],
    [{ clusterCIDRs: ['10.244.1.7/16'] }, '10.244.0.0/16', undefined],
    [{ detectLocalMode: 'NodeCIDR' }, '10.244.0.0/24', undefined],
  ] as const)('detect local traffic by CIDR: %j', (config, v4, v6) => {
    const cidrs = build(config).map((facts) => facts?.localDetector);
    expect(cidrs[0]).toEqual(v4 === undefined ? { kind: 'none' } : { kind: 'cidr', cidr: v4 });
    expect(cidrs[1]).toEqual(v6 === undefined ? { kind: 'none' } : { kind: 'cidr', cidr: v6 });
  });

  it('detect local traffic by interface in both families', () => {
    expect(build({ detectLocalMode: 'BridgeInterface', bridgeInterface: 'cbr0' }).map((f) => f?.localDetector)).toEqual(
      [
        { kind: 'interface', name: 'cbr0' },
        { kind: 'interface', name: 'cbr0' },
      ],
    );
    const config = { detectLocalMode: 'InterfaceNamePrefix', interfaceNamePrefix: 'veth' } as const;
    expect(build(config)[1]?.localDetector).toEqual({ kind: 'interface-prefix', prefix: 'veth' });
  });

  it('wait for the pod CIDRs of the node where they are needed', () => {
    expect(build({ detectLocalMode: 'NodeCIDR' }, buildNode({ podCIDRs: [] }))).toEqual([undefined, undefined]);
  });

  it('name service CIDRs in nftables mode only, where rules look at them', () => {
    expect(build().map((facts) => facts?.serviceCIDRs)).toEqual([[], []]);
    expect(build({ mode: 'nftables' }).map((facts) => facts?.serviceCIDRs)).toEqual([
      ['10.96.0.0/12'],
      ['fd00:96::/112'],
    ]);
  });
});

describe('node port addresses', () => {
  const resolve = (
    cidrs: readonly string[],
    mode: 'iptables' | 'nftables' = 'iptables',
    family: 'ipv4' | 'ipv6' = 'ipv4',
  ) =>
    resolveNodePortAddresses({
      family,
      cidrs,
      mode,
      localAddresses: ['172.18.0.2', '172.18.0.2', '192.0.2.9', '127.0.0.1', 'fd00::2', '::1', 'nonsense'],
      nodeIP: family === 'ipv4' ? '172.18.0.2' : 'fd00::2',
    });

  it('are all in iptables mode and the primary one in nftables mode, unless something is set', () => {
    expect(resolve([])).toEqual({ kind: 'all' });
    expect(resolve([], 'nftables')).toEqual({ kind: 'list', addresses: ['172.18.0.2'] });
  });

  it('are those of the interfaces within the prefixes, each once', () => {
    expect(resolve(['172.18.0.0/16', '127.0.0.0/8'])).toEqual({ kind: 'list', addresses: ['172.18.0.2', '127.0.0.1'] });
    expect(resolve(['198.51.100.0/24'])).toEqual({ kind: 'list', addresses: [] });
    expect(resolve(['0.0.0.0/0'])).toEqual({ kind: 'all' });
    expect(resolve(['10.0.0.0/0'])).toEqual({ kind: 'all' });
    expect(resolve(['primary'])).toEqual({ kind: 'list', addresses: ['172.18.0.2'] });
  });

  it('of a family that no prefix names are the default', () => {
    expect(resolve(['172.18.0.0/16'], 'iptables', 'ipv6')).toEqual({ kind: 'all' });
    expect(resolve(['172.18.0.0/16'], 'nftables', 'ipv6')).toEqual({ kind: 'list', addresses: ['fd00::2'] });
  });
});
