import { describe, expect, it } from 'vitest';
import { DEFAULT_PROXY_CONFIG, type ProxyConfig } from '../../../src/proxy/config/proxy-config.ts';
import { prepareKernel } from '../../../src/proxy/prepare-kernel.ts';

const LOCALNET = 'net.ipv4.conf.all.route_localnet';
const MAX = 'net.netfilter.nf_conntrack_max';
const BUCKETS = 'net.netfilter.nf_conntrack_buckets';

function prepare(
  config: Partial<ProxyConfig> = {},
  present: Readonly<Record<string, string>> = {},
  processors?: number,
) {
  const written: Record<string, string> = {};
  const refused: string[] = [];
  const result = prepareKernel({
    config: { ...DEFAULT_PROXY_CONFIG, ...config },
    processors,
    sysctl: {
      read: (key) => present[key],
      write: (key, value) => {
        if (present[key] === 'read-only') throw new Error('EROFS');
        written[key] = value;
      },
    },
    onRefused: (key) => refused.push(key),
  });
  return { ...result, written, refused };
}

describe('a proxy prepares the kernel', () => {
  it.each([
    [{}, true],
    [{ nodePortAddresses: ['0.0.0.0/0'] }, true],
    [{ nodePortAddresses: ['172.18.0.0/16', '127.0.0.0/8'] }, true],
    [{ nodePortAddresses: ['126.0.0.0/7'] }, true],
    [{ nodePortAddresses: ['fd00::/8'] }, true],
    [{ nodePortAddresses: ['primary'] }, false],
    [{ nodePortAddresses: ['172.18.0.0/16'] }, false],
    [{ localhostNodePorts: false }, false],
    [{ mode: 'nftables' }, false],
  ] as const)('for node ports on localhost where there are some: %j %s', (config, routes) => {
    expect(LOCALNET in prepare(config).written).toBe(routes);
  });

  it('and leaves connection tracking alone where it is not told the number of processors', () => {
    expect(Object.keys(prepare().written)).toEqual([LOCALNET]);
  });

  it("with kube-proxy's sizes and timeouts, never making a table smaller", () => {
    expect(prepare({}, {}, 8).written).toMatchObject({
      [MAX]: '262144',
      'net.netfilter.nf_conntrack_tcp_timeout_established': '86400',
      'net.netfilter.nf_conntrack_tcp_timeout_close_wait': '3600',
    });
    expect(prepare({}, {}, 1).written[MAX]).toBe('131072');
    expect(prepare({}, {}, 8).written[BUCKETS]).toBe('65536');
    expect(BUCKETS in prepare({}, { [BUCKETS]: '262144' }, 8).written).toBe(false);
    expect(MAX in prepare({}, { [MAX]: '1000000' }, 8).written).toBe(false);
  });

  it('and goes on where the kernel has a parameter read-only, telling of it', () => {
    expect(prepare({}, { [MAX]: 'read-only' }, 8).refused).toEqual([MAX]);
  });

  it('and finds out whether packets out of window are to be dropped', () => {
    const key = 'net.netfilter.nf_conntrack_tcp_be_liberal';
    expect(prepare({}, { [key]: '1' }).conntrackTcpBeLiberal).toBe(true);
    expect(prepare({}, { [key]: '0' }).conntrackTcpBeLiberal).toBe(false);
    expect(prepare().conntrackTcpBeLiberal).toBe(false);
  });
});
