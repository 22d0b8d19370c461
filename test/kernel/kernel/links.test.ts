import { spawnSync } from 'node:child_process';
import { beforeEach, describe, expect, it } from 'vitest';
import { ipBatchLinks } from '../../../src/kernel/netlink/ip-batch-links.ts';
import type { LinkOperation } from '../../../src/kernel/netlink/operations.ts';
import { rtnetlinkLinks } from '../../../src/kernel/netlink/rtnetlink-links.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { writeSysctl } from '../../../src/kernel/sysctl.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';

const implementations = [
  ['rtnetlink', rtnetlinkLinks],
  ['the programs of iproute2', ipBatchLinks],
] as const;

leaveNothing();
let round = 0;

describe.each(implementations)('links by %s', (_, links) => {
  let node: NetworkNamespace;
  let pod: NetworkNamespace;

  beforeEach(() => {
    round += 1;
    node = NetworkNamespace.create(`node-${round}`);
    pod = NetworkNamespace.create(`pod-${round}`);
    return () => {
      pod.delete();
      node.delete();
    };
  });

  const show = (netns: NetworkNamespace, ...words: string[]): string => {
    const { stdout, stderr } = netns.run(() => spawnSync('ip', words, { encoding: 'utf8' }));
    return `${stdout}${stderr}`;
  };
  const apply = (netns: NetworkNamespace, ...operations: LinkOperation[]) => links.apply(netns, operations);
  const wire = (): LinkOperation => ({
    kind: 'addVeth',
    name: 'veth1',
    mac: 'ee:ee:ee:ee:ee:ee',
    up: true,
    peer: { name: 'eth0', netns: pod, mac: '0a:58:0a:f4:01:02', mtu: 1400 },
  });
  const podUp: LinkOperation = { kind: 'setLink', link: 'eth0', up: true };

  it('a veth connects two namespaces, with the MACs and MTU asked for', () => {
    apply(node, wire());
    apply(pod, podUp);
    expect(show(node, '-o', 'link', 'show', 'veth1')).toMatch(/[<,]UP[,>].*state UP.*ee:ee:ee:ee:ee:ee/);
    expect(show(pod, '-o', 'link', 'show', 'eth0')).toMatch(/mtu 1400.*state UP.*0a:58:0a:f4:01:02/);
  });

  it('a bridge takes a port in the same batch, with hairpin and isolation', () => {
    apply(
      node,
      { kind: 'addBridge', name: 'cni0', mac: '02:42:0a:f4:01:01', up: true },
      { ...wire(), kind: 'addVeth', name: 'veth1', master: 'cni0', peer: { name: 'eth0', netns: pod } },
      { kind: 'setBridgePort', link: 'veth1', hairpin: true, isolated: true },
    );
    expect(show(node, '-d', '-o', 'link', 'show', 'cni0')).toMatch(/02:42:0a:f4:01:01.*stp_state 0.*mcast_snooping 0/);
    expect(show(node, '-d', '-o', 'link', 'show', 'veth1')).toMatch(/master cni0.*hairpin on.*isolated on/);
    apply(node, { kind: 'setBridgePort', link: 'veth1', state: 0 });
    expect(show(node, '-d', '-o', 'link', 'show', 'veth1')).toContain('bridge_slave state disabled');
    apply(node, { kind: 'setLink', link: 'veth1', master: null });
    expect(show(node, '-o', 'link', 'show', 'veth1')).not.toContain('master');
  });

  it('addresses are usable at once, and have the scope and lifetime asked for', () => {
    apply(node, wire());
    apply(
      pod,
      podUp,
      { kind: 'addAddress', link: 'eth0', address: '10.244.1.2/24' },
      { kind: 'addAddress', link: 'eth0', address: 'fd00::2/64' },
      { kind: 'addAddress', link: 'eth0', address: 'fd00::99/128', deprecated: true, noPrefixRoute: true },
      { kind: 'addAddress', link: 'lo', address: '172.18.200.1/32', scope: 'link' },
    );
    const text = show(pod, '-o', 'addr');
    expect(text).toMatch(/inet 10\.244\.1\.2\/24.*scope global/);
    expect(text).toMatch(/inet6 fd00::2\/64 scope global nodad/);
    expect(text).toMatch(/inet6 fd00::99\/128 scope global .*deprecated.*noprefixroute/);
    expect(text).toMatch(/inet 172\.18\.200\.1\/32 scope link lo/);
    expect(text).not.toMatch(/tentative/);
  });

  it('routes have gateway, source, metric, MTU, type and table as asked for', () => {
    apply(node, wire());
    apply(
      pod,
      podUp,
      { kind: 'addAddress', link: 'eth0', address: '10.244.1.2/24' },
      { kind: 'addAddress', link: 'eth0', address: 'fd00::2/64' },
      { kind: 'addRoute', destination: '0.0.0.0/0', gateway: '169.254.1.1', link: 'eth0', onLink: true },
      { kind: 'addRoute', destination: '::/0', gateway: 'fe80::1', link: 'eth0' },
      { kind: 'addRoute', destination: '10.96.0.0/16', link: 'eth0', source: '10.244.1.2', metric: 7, mtu: 1300 },
      { kind: 'addRoute', destination: '10.97.0.0/16', type: 'blackhole' },
      { kind: 'addRoute', destination: '10.98.0.0/16', type: 'local', link: 'lo', table: 1000 },
      {
        kind: 'addRoute',
        destination: '10.99.0.0/16',
        nextHops: [{ gateway: '10.244.1.3' }, { gateway: '10.244.1.4', weight: 3 }],
      },
    );
    const routes = show(pod, 'route');
    expect(routes).toContain('default via 169.254.1.1 dev eth0 proto static onlink');
    expect(routes).toContain('10.96.0.0/16 dev eth0 proto static scope link src 10.244.1.2 metric 7 mtu 1300');
    expect(routes).toContain('blackhole 10.97.0.0/16');
    expect(routes).toMatch(
      /10\.99\.0\.0\/16 proto static\s+nexthop via 10\.244\.1\.3 .*weight 1.*\s+nexthop via 10\.244\.1\.4 .*weight 3/,
    );
    expect(show(pod, 'route', 'show', 'table', '1000')).toContain('local 10.98.0.0/16 dev lo');
    expect(show(pod, '-6', 'route')).toContain('default via fe80::1 dev eth0 proto static');
  });

  it('a route can be replaced and deleted, and adding it twice is told with its name', () => {
    const route = { kind: 'addRoute', destination: '10.96.0.0/16', link: 'eth0' } as const;
    apply(node, wire());
    apply(pod, podUp, { kind: 'addAddress', link: 'eth0', address: '10.244.1.2/24' }, route);
    expect(() => apply(pod, route)).toThrow(/addRoute 10\.96\.0\.0\/16.* in pod-.*\(EEXIST\)/);
    apply(pod, { ...route, kind: 'replaceRoute', source: '10.244.1.2' });
    expect(show(pod, 'route')).toContain('10.96.0.0/16 dev eth0 proto static scope link src 10.244.1.2');
    apply(pod, { kind: 'deleteRoute', destination: '10.96.0.0/16' });
    expect(show(pod, 'route')).not.toContain('10.96');
  });

  it('neighbours are permanent, in both families', () => {
    apply(node, wire());
    apply(
      pod,
      podUp,
      { kind: 'setNeighbour', link: 'eth0', address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' },
      { kind: 'setNeighbour', link: 'eth0', address: 'fe80::1', mac: 'ee:ee:ee:ee:ee:ee' },
    );
    expect(show(pod, 'neigh')).toContain('169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT');
    expect(show(pod, 'neigh')).toContain('fe80::1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT');
    apply(pod, { kind: 'deleteNeighbour', link: 'eth0', address: '169.254.1.1', mac: 'ee:ee:ee:ee:ee:ee' });
    expect(show(pod, 'neigh')).not.toContain('169.254.1.1');
  });

  it('a VXLAN tunnel has its entries per remote end', () => {
    apply(
      node,
      { kind: 'addVxlan', name: 'vx0', id: 42, local: '172.18.0.2', mtu: 1450, up: true },
      { kind: 'addFdb', link: 'vx0', mac: '0a:58:0a:f4:02:00', destination: '172.18.0.3' },
    );
    expect(show(node, '-d', '-o', 'link', 'show', 'vx0')).toMatch(
      /mtu 1450.*vxlan id 42 local 172\.18\.0\.2.*dstport 4789.*nolearning/,
    );
    const fdb = node.run(() => spawnSync('bridge', ['fdb', 'show', 'dev', 'vx0'], { encoding: 'utf8' }).stdout);
    expect(fdb).toMatch(/0a:58:0a:f4:02:00 dst 172\.18\.0\.3 self permanent/);
  });

  it('rules choose tables by mark, source and incoming link, in both families', () => {
    apply(
      node,
      { kind: 'addRule', family: 'ipv4', priority: 100, table: 1000, mark: 0x4000, mask: 0x4000 },
      { kind: 'addRule', family: 'ipv6', priority: 101, table: 1001, inputLink: 'lo' },
      { kind: 'addRule', family: 'ipv4', priority: 102, table: 7, from: '10.0.0.0/8', to: '10.1.0.0/16' },
    );
    expect(show(node, 'rule')).toContain('100:\tfrom all fwmark 0x4000/0x4000 lookup 1000');
    expect(show(node, 'rule')).toContain('102:\tfrom 10.0.0.0/8 to 10.1.0.0/16 lookup 7');
    expect(show(node, '-6', 'rule')).toContain('101:\tfrom all iif lo lookup 1001');
    apply(node, { kind: 'deleteRule', family: 'ipv6', priority: 101, table: 1001 });
    expect(show(node, '-6', 'rule')).not.toContain('1001');
  });

  it('deleting what is absent succeeds', () => {
    apply(node, wire());
    apply(
      node,
      { kind: 'deleteLink', link: 'nothing' },
      { kind: 'deleteRoute', destination: '10.0.0.0/8' },
      { kind: 'deleteRoute', destination: 'fd00::/8' },
      { kind: 'deleteAddress', link: 'veth1', address: '10.0.0.1/32' },
      { kind: 'deleteAddress', link: 'veth1', address: 'fd00::1/128' },
      { kind: 'deleteNeighbour', link: 'veth1', address: '10.0.0.1', mac: 'ee:ee:ee:ee:ee:ee' },
      { kind: 'deleteRule', family: 'ipv4', priority: 5, table: 5 },
    );
    apply(node, { kind: 'deleteLink', link: 'veth1' }, { kind: 'deleteLink', link: 'veth1' });
    expect(show(node, '-br', 'link')).not.toContain('veth1');
  });

  it.each<[string, LinkOperation, RegExp]>([
    [
      'a link that is not there',
      { kind: 'addAddress', link: 'eth9', address: '10.0.0.1/8' },
      /addAddress 10\.0\.0\.1\/8 link eth9 in node-.*ENODEV/,
    ],
    [
      'a gateway out of reach',
      { kind: 'addRoute', destination: '10.0.0.0/8', gateway: '9.9.9.9' },
      /addRoute 10\.0\.0\.0\/8 .*ENETUNREACH/,
    ],
    ['a name that is too long', { kind: 'addBridge', name: 'a-name-of-16-let' }, /addBridge a-name-of-16-let/],
  ])('%s is refused with the operation, the namespace and the reason', (_name, operation, message) => {
    expect(() => apply(node, operation)).toThrow(message);
  });

  it('what comes before a refused operation is done', () => {
    apply(node, wire());
    expect(() =>
      apply(
        node,
        { kind: 'addAddress', link: 'veth1', address: '10.1.0.1/24' },
        { kind: 'addAddress', link: 'eth9', address: '10.2.0.1/24' },
      ),
    ).toThrow(/eth9/);
    expect(show(node, 'addr', 'show', 'dev', 'veth1')).toContain('10.1.0.1/24');
  });

  it('IPv6 addresses where IPv6 is switched off are refused with the way out', () => {
    apply(node, wire());
    writeSysctl(pod, 'net.ipv6.conf.eth0.disable_ipv6', 1);
    expect(() => apply(pod, { kind: 'addAddress', link: 'eth0', address: 'fd00::2/64' })).toThrow(
      expect.objectContaining({ code: 'ERR_MISSING_KERNEL_FEATURE', hint: expect.stringContaining('IPv4 only') }),
    );
  });

  it('a link that another program deleted and made again is found under its name', () => {
    apply(node, { kind: 'addBridge', name: 'br0' }, { kind: 'addAddress', link: 'br0', address: '10.1.0.1/24' });
    show(node, 'link', 'del', 'br0');
    show(node, 'link', 'add', 'br0', 'type', 'bridge');
    apply(node, { kind: 'addAddress', link: 'br0', address: '10.1.0.1/24' });
    expect(show(node, 'addr', 'show', 'dev', 'br0')).toContain('10.1.0.1/24');
  });

  it('hundreds of operations in one call are all carried out', () => {
    const addresses = Array.from({ length: 300 }, (_unused, i) => `10.9.${i >> 8}.${i & 255}/32`);
    apply(node, ...addresses.map((address): LinkOperation => ({ kind: 'addAddress', link: 'lo', address })));
    expect(show(node, '-o', '-4', 'addr', 'show', 'dev', 'lo').match(/10\.9\./g)).toHaveLength(300);
  });
});

it('a veth is made with the one queue that it keeps, so that the kernel has none to take away', async () => {
  await using node = NetworkNamespace.create('node');
  await using pod = NetworkNamespace.create('pod');
  rtnetlinkLinks.apply(node, [{ kind: 'addVeth', name: 'veth1', peer: { name: 'eth0', netns: pod } }]);
  for (const [netns, link] of [
    [node, 'veth1'],
    [pod, 'eth0'],
  ] as const) {
    const { stdout } = netns.run(() => spawnSync('ip', ['-d', 'link', 'show', link], { encoding: 'utf8' }));
    expect(stdout).toContain('numtxqueues 1 numrxqueues 1');
  }
});
