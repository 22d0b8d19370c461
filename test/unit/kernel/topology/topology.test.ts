import { describe, expect, it } from 'vitest';
import type { LinkOperation } from '../../../../src/kernel/netlink/operations.ts';
import type { NetworkNamespace } from '../../../../src/kernel/network-namespace.ts';
import { firstAddress, hostPrefix, sameFamily } from '../../../../src/kernel/topology/addresses.ts';
import { buildGratuitousArp, buildNeighbourAdvertisement } from '../../../../src/kernel/topology/announcement.ts';
import { checkPlan } from '../../../../src/kernel/topology/check-plan.ts';
import { linkLocalAddress, nodeMac, podMac } from '../../../../src/kernel/topology/mac-address.ts';
import {
  buildMachine,
  buildRemovalOf,
  buildRootRoutes,
  buildRoutesTo,
} from '../../../../src/kernel/topology/node-operations.ts';
import type { FabricPlan, NodePlan } from '../../../../src/kernel/topology/plan.ts';
import { buildBridgePod, buildPtpPod } from '../../../../src/kernel/topology/pod-operations.ts';

const fabric: FabricPlan = { name: 'fabric0', addresses: ['172.18.0.1/16', 'fc00::1/64'], cni: 'ptp' };
const node: NodePlan = {
  name: 'node-1',
  addresses: ['172.18.0.2/16', 'fc00::2/64'],
  podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'],
};
const netns = { name: 'web' } as NetworkNamespace;
const only = (operations: readonly LinkOperation[], kind: LinkOperation['kind']) =>
  operations.filter((operation) => operation.kind === kind);

describe('addresses', () => {
  it('MACs follow from them, as Docker and the CNI plugins have it', () => {
    expect(nodeMac('172.18.0.2/16')).toBe('02:42:ac:12:00:02');
    expect(podMac('10.244.1.5')).toBe('0a:58:0a:f4:01:05');
    expect(podMac('fd00::abcd:5')).toBe('0a:58:ab:cd:00:05');
    expect(linkLocalAddress('02:42:ac:12:00:02')).toBe('fe80::42:acff:fe12:2/64');
  });

  it('the first of a range is the gateway of its bridge', () => {
    expect(firstAddress('10.244.1.0/24')).toBe('10.244.1.1/24');
    expect(firstAddress('fd00:10:244:1::/64')).toBe('fd00:10:244:1::1/64');
  });

  it('are compared by family', () => {
    expect(sameFamily(node.addresses, '10.0.0.1')).toBe('172.18.0.2');
    expect(sameFamily(node.addresses, 'fd00::/64')).toBe('fc00::2');
    expect(sameFamily(['10.0.0.1/8'], '::1')).toBeUndefined();
    expect([hostPrefix('10.0.0.1'), hostPrefix('::1')]).toEqual(['10.0.0.1/32', '::1/128']);
  });
});

describe('a node', () => {
  it('has the fabric as its gateway in each of its families only', () => {
    const v4 = buildMachine(fabric, { addresses: ['172.18.0.2/16'] });
    expect(only(v4, 'addRoute')).toEqual([{ kind: 'addRoute', destination: '0.0.0.0/0', gateway: '172.18.0.1' }]);
    expect(only(buildMachine(fabric, node), 'addRoute')).toHaveLength(2);
  });

  it('receives at each of its IPv6 addresses without waiting for the kernel’s own work', () => {
    const operations = buildMachine(fabric, node);
    expect(only(operations, 'replaceRoute')).toEqual(
      ['fe80::42:acff:fe12:2/128', 'fc00::2/128'].map((destination) => ({
        kind: 'replaceRoute',
        destination,
        link: 'eth0',
        type: 'local',
      })),
    );
  });

  it('is a permanent neighbour of the others and the way to its pods, until it is removed', () => {
    const added = buildRoutesTo(node);
    expect(added).toContainEqual({ kind: 'setNeighbour', link: 'eth0', address: 'fc00::2', mac: '02:42:ac:12:00:02' });
    expect(added).toContainEqual({ kind: 'addRoute', destination: '10.244.1.0/24', gateway: '172.18.0.2' });
    const removed = buildRemovalOf(node);
    expect(only(removed, 'deleteRoute')).toHaveLength(only(added, 'addRoute').length);
    expect(only(removed, 'deleteNeighbour')).toHaveLength(only(added, 'setNeighbour').length);
  });

  it('whose pods have a family that it has no address of is not a way to them', () => {
    const single = { ...node, addresses: ['172.18.0.2/16'] };
    expect(only(buildRoutesTo(single), 'addRoute')).toHaveLength(1);
  });

  it('is a way to its pods for the root’s own packets alone', () => {
    for (const route of buildRootRoutes(node, 'addRoute')) expect(route).toMatchObject({ table: 1000 });
  });
});

describe('a pod', () => {
  const pod = { node, netns, hostLink: 'veth1', addresses: ['10.244.1.5', 'fd00:1::5'] };

  it('by ptp is one host, routed by the node with the node’s address as source', () => {
    const operations = buildPtpPod(pod);
    expect(only(operations.node, 'replaceRoute')).toEqual([
      { kind: 'replaceRoute', destination: '10.244.1.5/32', link: 'veth1', source: '172.18.0.2' },
      { kind: 'replaceRoute', destination: 'fd00:1::5/128', link: 'veth1', source: 'fc00::2' },
    ]);
    expect(only(operations.pod, 'addAddress')).toMatchObject([
      { address: '10.244.1.5/32' },
      { address: 'fd00:1::5/128' },
    ]);
    expect(only(operations.pod, 'addRoute')).toMatchObject([{ gateway: '169.254.1.1' }, { gateway: 'fe80::1' }]);
  });

  it('by bridge is in the node’s network, and its port gives packets back', () => {
    const operations = buildBridgePod(pod);
    expect(only(operations.node, 'setBridgePort')).toEqual([{ kind: 'setBridgePort', link: 'veth1', hairpin: true }]);
    expect(only(operations.pod, 'addAddress')).toMatchObject([
      { address: '10.244.1.5/24' },
      { address: 'fd00:1::5/64' },
    ]);
    expect(only(operations.pod, 'addRoute')).toMatchObject([{ gateway: '10.244.1.1' }, { gateway: 'fd00:1::1' }]);
  });
});

describe('a plan', () => {
  it.each(['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1', 'fe80', '10.0.0.1/40'])(
    '%s is no address of a machine',
    (address) => {
      const plan = { name: 'node', addresses: [address], podCIDRs: [] };
      expect(() => checkPlan(plan)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ADDRESS' }));
    },
  );

  it('has at most one address and one range of a family', () => {
    expect(() => checkPlan(node)).not.toThrow();
    expect(() => checkPlan({ ...node, addresses: ['10.0.0.1/8', '10.0.0.2/8'] })).toThrow(/more than one of a family/);
    expect(() => checkPlan({ ...node, podCIDRs: ['fd00:1::/64', 'fd00:2::/64'] })).toThrow(/more than one of a family/);
  });
});

describe('announcements', () => {
  it('of IPv4 are ARP requests for oneself, to everybody', () => {
    expect(buildGratuitousArp('172.18.200.1', '02:42:ac:12:00:02').toString('hex')).toBe(
      'ffffffffffff' +
        '0242ac120002' +
        '0806' +
        '0001080006040001' +
        '0242ac120002' +
        'ac12c801' +
        '000000000000' +
        'ac12c801',
    );
  });

  it('of IPv6 are neighbour advertisements with hop limit 255, the override flag and a right checksum', () => {
    const frame = buildNeighbourAdvertisement('fc00::c8', '02:42:ac:12:00:02');
    expect(frame.subarray(0, 14).toString('hex')).toBe('333300000001' + '0242ac120002' + '86dd');
    const [packet, message] = [frame.subarray(14), frame.subarray(54)];
    expect([packet[6], packet[7], message[0], message[4]]).toEqual([58, 255, 136, 0x20]);
    expect(message.subarray(24).toString('hex')).toBe('0201' + '0242ac120002');
    const pseudo = Buffer.concat([
      packet.subarray(8, 40),
      Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58]),
      message,
    ]);
    let sum = 0;
    for (let i = 0; i < pseudo.length; i += 2) sum += pseudo.readUInt16BE(i);
    expect((sum & 0xffff) + (sum >>> 16)).toBe(0xffff);
  });
});
