import { describe, expect, test } from 'vitest';
import { evaluatePacket } from '../../../../src/netfilter/evaluate/evaluate-packet.ts';
import type { Host, Packet } from '../../../../src/netfilter/evaluate/packet.ts';
import { parseRuleset } from '../../../../src/netfilter/iptables/parse-ruleset.ts';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';

const packet: Packet = {
  source: '10.244.0.9',
  destination: '10.96.0.10',
  protocol: 'tcp',
  sourcePort: 40_000,
  destinationPort: 80,
  from: 'network',
  inInterface: 'veth1',
};
const host: Host = { localAddresses: ['172.18.0.2'] };

const rulesets = (tables: Readonly<Record<string, readonly string[]>>) => {
  const text = Object.entries(tables).map(([table, lines]) => {
    const builtIn = { nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'], filter: ['INPUT', 'FORWARD', 'OUTPUT'] }[
      table
    ] ?? ['PREROUTING', 'FORWARD'];
    const own = [...new Set(lines.flatMap((line) => /^-A ([a-z]\S*)/.exec(line)?.[1] ?? []))];
    return [
      `*${table}`,
      ...builtIn.map((name) => `:${name} ACCEPT [0:0]`),
      ...own.map((name) => `:${name} - [0:0]`),
      ...lines,
      'COMMIT',
    ].join('\n');
  });
  return [parseRuleset('ipv4', `${text.join('\n')}\n`)];
};

const evaluate = (tables: Readonly<Record<string, readonly string[]>>, options: Partial<Packet> = {}, where = host) =>
  evaluatePacket({ iptables: rulesets(tables) }, { ...packet, ...options }, where);

describe('matches', () => {
  test.each<[string, boolean]>([
    ['-s 10.244.0.0/16', true],
    ['! -s 10.244.0.9/32', false],
    ['-d 10.96.0.10/32', true],
    ['-p tcp -m tcp --dport 80', true],
    ['-p tcp -m tcp --dport 81:90', false],
    ['-p udp -m udp --dport 80', false],
    ['-i veth+', true],
    ['! -i veth1', false],
    ['-m conntrack --ctstate NEW', true],
    ['-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT', true],
    ['-m mark --mark 0x4000/0x4000', false],
    ['-m mark ! --mark 0x4000/0x4000', true],
    ['-m addrtype --dst-type LOCAL', false],
    ['-m addrtype ! --src-type LOCAL', true],
    ['-m comment --comment "only words"', true],
    ['-m physdev ! --physdev-is-in', true],
    ['-m recent --rcheck --seconds 10 --name L --rsource', false],
  ])('%s: %s', (match, expected) => {
    const { verdict } = evaluate({ filter: [`-A FORWARD ${match} -j DROP`] });
    expect(verdict === 'drop').toBe(expected);
  });
});

test('probabilities along a chain give every endpoint the same share', () => {
  const { endpoints } = evaluate({
    nat: [
      '-A PREROUTING -j svc',
      '-A svc -m statistic --mode random --probability 0.33333333349 -j DNAT --to-destination 10.0.0.1:80',
      '-A svc -m statistic --mode random --probability 0.50000000000 -j DNAT --to-destination 10.0.0.2:80',
      '-A svc -p tcp -j DNAT --to-destination 10.0.0.3:80',
    ],
  });
  for (const { probability } of endpoints) expect(probability).toBeCloseTo(1 / 3, 6);
  expect(endpoints.map(({ address }) => address)).toEqual(['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80']);
});

test('every n-th packet counts as its share', () => {
  const { endpoints } = evaluate({
    nat: [
      '-A PREROUTING -m statistic --mode nth --every 2 --packet 0 -p tcp -j DNAT --to-destination 10.0.0.1:80',
      '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.2:80',
    ],
  });
  expect(endpoints.map(({ probability }) => probability)).toEqual([0.5, 0.5]);
});

test('return leaves a chain, and in a built-in chain it means the policy', () => {
  const { paths } = evaluate({
    filter: [
      '-A FORWARD -j own',
      '-A FORWARD -j RETURN',
      '-A FORWARD -j DROP',
      '-A own -s 10.244.0.9/32 -j RETURN',
      '-A own -j DROP',
    ],
  });
  expect(paths).toMatchObject([{ verdict: 'pass' }]);
  expect(paths[0]!.steps.map(({ chain, position }) => `${chain} ${position}`)).toEqual([
    'FORWARD 1',
    'own 1',
    'FORWARD 2',
  ]);
});

test('marks masquerade in postrouting, and the endpoint is told so', () => {
  const { endpoints } = evaluate({
    nat: [
      '-A PREROUTING -j MARK --set-xmark 0x4000/0x0',
      '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1:80',
      '-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
      '-A POSTROUTING -j MASQUERADE --random-fully',
    ],
  });
  expect(endpoints).toEqual([{ address: '10.0.0.1:80', probability: 1, masquerade: true }]);
});

test('a client in a list of recent ones matches, and a packet says into which list it comes', () => {
  const tables = {
    nat: [
      '-A PREROUTING -m recent --rcheck --seconds 10800 --reap --name A --rsource -p tcp -j DNAT --to-destination 10.0.0.1:80',
      '-A PREROUTING -p tcp -m recent --set --name B --rsource -j DNAT --to-destination 10.0.0.2:80',
    ],
  };
  expect(evaluate(tables).paths).toMatchObject([
    { endpoint: '10.0.0.2:80', remembers: [{ list: 'B', client: packet.source }] },
  ]);
  const remembered = new Map([['A', new Set([packet.source])]]);
  expect(evaluate(tables, {}, { ...host, remembered }).endpoints[0]?.address).toBe('10.0.0.1:80');
});

test('redirect goes to the host itself: to loopback for its own packets', () => {
  const tables = {
    nat: ['-A PREROUTING -p tcp -j REDIRECT --to-ports 99', '-A OUTPUT -p tcp -j REDIRECT --to-ports 99'],
  };
  expect(evaluate(tables).endpoints[0]?.address).toBe('172.18.0.2:99');
  expect(evaluate(tables, { from: 'host' }).endpoints[0]?.address).toBe('127.0.0.1:99');
});

test('what cannot be evaluated does not match, with a note', () => {
  const { verdict, paths } = evaluate({
    filter: [
      '-A FORWARD -m hashlimit --hashlimit-upto 5/sec --hashlimit-name x -j DROP',
      '-A FORWARD -j REJECT --reject-with icmp-port-unreachable',
    ],
  });
  expect(verdict).toBe('reject');
  expect(paths[0]!.notes).toHaveLength(1);
});

test('rules of both back ends meet a packet in the order of their priorities', () => {
  const nftables = parseTables(
    'table ip t {\nchain f {\ntype filter hook forward priority -10; policy accept;\ncounter comment "nft first"\n}\nchain g {\ntype filter hook forward priority 10; policy accept;\ndrop\n}\n}\n',
  );
  const { paths } = evaluatePacket(
    { nftables, iptables: rulesets({ filter: ['-A FORWARD -s 10.244.0.9/32 -j ACCEPT'] }) },
    packet,
    host,
  );
  expect(paths[0]!.steps.map(({ table, chain }) => `${table} ${chain}`)).toEqual([
    'ip t f',
    'filter FORWARD',
    'ip t g',
  ]);
  expect(paths[0]!.verdict).toBe('drop');
});
