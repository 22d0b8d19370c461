import { describe, expect, it } from 'vitest';
import { ipBatchLinks, parseRefusals } from '../../../../src/kernel/netlink/ip-batch-links.ts';
import { batchProgram, printBatch } from '../../../../src/kernel/netlink/ip-batch-text.ts';
import { chooseLinks } from '../../../../src/kernel/netlink/links.ts';
import { isAbsent } from '../../../../src/kernel/netlink/operation-outcome.ts';
import { describeOperation, type LinkOperation } from '../../../../src/kernel/netlink/operations.ts';
import { rtnetlinkLinks } from '../../../../src/kernel/netlink/rtnetlink-links.ts';
import type { NetworkNamespace } from '../../../../src/kernel/network-namespace.ts';

const netns = { name: 'pod', path: '/run/netns/pod' } as NetworkNamespace;

describe('operations as lines of ip -batch', () => {
  it.each<[LinkOperation, readonly string[]]>([
    [
      {
        kind: 'addVeth',
        name: 'veth1',
        up: true,
        master: 'cni0',
        peer: { name: 'eth0', netns, mac: '0a:58:00:00:00:01' },
      },
      [
        'link add name veth1 type veth peer name eth0 address 0a:58:00:00:00:01 netns /run/netns/pod',
        'link set dev veth1 master cni0 up',
      ],
    ],
    [{ kind: 'setLink', link: 'veth1', master: null, up: false }, ['link set dev veth1 nomaster down']],
    [
      { kind: 'setBridgePort', link: 'veth1', hairpin: false, state: 0 },
      ['link set dev veth1 type bridge_slave state 0 hairpin off'],
    ],
    [
      { kind: 'addAddress', link: 'lo', address: 'fd00::1/128', deprecated: true },
      ['addr add fd00::1/128 dev lo nodad preferred_lft 0'],
    ],
    [
      { kind: 'addRoute', destination: '0.0.0.0/0', gateway: '169.254.1.1', link: 'eth0', onLink: true },
      ['route add 0.0.0.0/0 via 169.254.1.1 dev eth0 proto static onlink'],
    ],
    [
      {
        kind: 'addRoute',
        destination: '10.0.0.0/8',
        nextHops: [{ gateway: '10.1.0.1', weight: 2 }, { gateway: '10.1.0.2' }],
      },
      ['route add 10.0.0.0/8 proto static nexthop via 10.1.0.1 weight 2 nexthop via 10.1.0.2'],
    ],
    [
      { kind: 'deleteRule', family: 'ipv6', priority: 5, table: 7, mark: 1, mask: 3 },
      ['rule del fwmark 1/3 lookup 7 priority 5'],
    ],
  ])('%j', (operation, lines) => {
    expect(printBatch(operation)).toEqual(lines);
  });

  it('a rule for one user id is one of a range of ids', () => {
    expect(printBatch({ kind: 'addRule', family: 'ipv4', priority: 1100, table: 50_001, uid: 50_001 })).toEqual([
      'rule add uidrange 50001-50001 lookup 50001 priority 1100',
    ]);
  });

  it('forwarding entries are the bridge program’s, rules of IPv6 need ip -6', () => {
    expect(batchProgram({ kind: 'addFdb', link: 'vx0', mac: '00:00:00:00:00:00', destination: '10.0.0.1' })).toBe(
      'bridge',
    );
    expect(batchProgram({ kind: 'addRule', family: 'ipv6', priority: 1, table: 1 })).toBe('ip -6');
    expect(batchProgram({ kind: 'deleteLink', link: 'x' })).toBe('ip');
  });
});

describe('the way to the kernel', () => {
  it('is rtnetlink, and the programs of iproute2 when the environment says so', () => {
    expect(chooseLinks({})).toBe(rtnetlinkLinks);
    expect(chooseLinks({ TOWTANK_NETLINK: 'ip' })).toBe(ipBatchLinks);
  });
});

describe('what iproute2 prints about failed lines', () => {
  it('is told by line, with the errno that the words mean', () => {
    const stderr = [
      'Cannot find device "x"',
      'Command failed -:1',
      'RTNETLINK answers: No such process',
      'Command failed -:3',
      'Error: ipv4: Address already assigned.',
      'Command failed -:4',
      '',
    ].join('\n');
    expect([...parseRefusals(stderr)]).toEqual([
      [1, { errno: 19, explanation: 'Cannot find device "x"' }],
      [3, { errno: 3, explanation: 'No such process' }],
      [4, { errno: 17, explanation: 'ipv4: Address already assigned.' }],
    ]);
  });

  it('is invalid, with its words, when nobody knows what they mean', () => {
    expect(parseRefusals('Error: what?\nCommand failed -:2\n').get(2)).toEqual({ errno: 22, explanation: 'what?' });
  });
});

describe('operations in words', () => {
  it('begin with what they are about', () => {
    const route = { kind: 'addRoute', link: 'eth0', destination: '10.0.0.0/8', gateway: '10.1.0.1' } as const;
    expect(describeOperation(route)).toBe('addRoute 10.0.0.0/8 link eth0 gateway 10.1.0.1');
    const veth = { kind: 'addVeth', name: 'veth1', peer: { name: 'eth0', netns } } as const;
    expect(describeOperation(veth)).toBe('addVeth veth1 peer {"name":"eth0","netns":"pod"}');
  });

  it('absence is a success of deletions only', () => {
    expect(isAbsent({ kind: 'deleteLink', link: 'x' }, 19)).toBe(true);
    expect(isAbsent({ kind: 'deleteLink', link: 'x' }, 1)).toBe(false);
    expect(isAbsent({ kind: 'setLink', link: 'x' }, 19)).toBe(false);
  });
});
