import { describe, expect, test } from 'vitest';
import { evaluatePacket } from '../../../../src/netfilter/evaluate/evaluate-packet.ts';
import type { Host, Packet } from '../../../../src/netfilter/evaluate/packet.ts';
import { parseTables } from '../../../../src/netfilter/nftables/parse-tables.ts';

const packet: Packet = {
  source: '10.244.0.9',
  destination: '10.96.0.10',
  protocol: 'tcp',
  sourcePort: 40_000,
  destinationPort: 80,
  from: 'network',
};
const host: Host = { localAddresses: ['172.18.0.2'] };

function evaluate(chains: string, options: Partial<Packet> = {}, where: Host = host) {
  return evaluatePacket({ nftables: parseTables(`table ip t {\n${chains}\n}\n`) }, { ...packet, ...options }, where);
}

const chain = (name: string, ...lines: readonly string[]): string => `chain ${name} {\n${lines.join('\n')}\n}\n`;
const base = (hook: string, priority: string, ...rules: readonly string[]): string =>
  chain(
    `${hook}-${priority.replace(/\W/g, 'm')}`,
    `type filter hook ${hook} priority ${priority}; policy accept;`,
    ...rules,
  );
const nat = (hook: string, ...rules: readonly string[]): string =>
  chain(
    `nat-${hook}`,
    `type nat hook ${hook} priority ${hook === 'postrouting' ? 'srcnat' : '-100'}; policy accept;`,
    ...rules,
  );
const rulesOf = (evaluation: ReturnType<typeof evaluate>): string[] =>
  evaluation.paths[0]!.steps.map(({ rule }) => rule);

describe('hooks', () => {
  const everywhere = ['prerouting', 'input', 'forward', 'output', 'postrouting']
    .map((hook) => base(hook, '0', `counter comment "${hook}"`))
    .join('');
  const hooksOf = (options: Partial<Packet>): string[] =>
    evaluate(everywhere, options).paths[0]!.steps.map(({ hook }) => hook);

  test('a packet for elsewhere is forwarded, one for the host goes in', () => {
    expect(hooksOf({})).toEqual(['prerouting', 'forward', 'postrouting']);
    expect(hooksOf({ destination: '172.18.0.2' })).toEqual(['prerouting', 'input']);
  });

  test('what the host sends goes out, and what it sends to itself comes in again', () => {
    expect(hooksOf({ from: 'host' })).toEqual(['output', 'postrouting']);
    expect(hooksOf({ from: 'host', destination: '127.0.0.1' })).toEqual([
      'output',
      'postrouting',
      'prerouting',
      'input',
    ]);
  });

  test('the translated destination decides where the packet goes', () => {
    const evaluation = evaluate(everywhere + nat('prerouting', 'dnat to 172.18.0.2:8080'));
    expect(evaluation.paths[0]!.steps.map(({ hook }) => hook)).toEqual(['prerouting', 'prerouting', 'input']);
    expect(evaluation.endpoints).toEqual([{ address: '172.18.0.2:8080', probability: 1, masquerade: false }]);
  });

  test('priorities order the chains of a hook, not the order in the table', () => {
    expect(
      rulesOf(
        evaluate(base('forward', '10', 'counter comment "later"') + base('forward', '-10', 'counter comment "sooner"')),
      ),
    ).toEqual(['counter comment "sooner"', 'counter comment "later"']);
  });

  test('accepting ends a base chain, dropping ends the packet', () => {
    const rules =
      base('forward', '-10', 'accept', 'drop') + base('forward', '10', 'drop') + base('postrouting', '0', 'accept');
    expect(evaluate(rules)).toMatchObject({ verdict: 'drop', paths: [{ accepted: true }] });
    expect(rulesOf(evaluate(rules))).toEqual(['accept', 'drop']);
  });

  test('a policy is what becomes of packets that no rule decides', () => {
    expect(
      evaluate(chain('f', 'type filter hook forward priority 0; policy drop;', 'ip saddr 192.0.2.1 accept')).verdict,
    ).toBe('drop');
  });

  test('the host translates a connection once: nat is not asked again on its way in over loopback', () => {
    const rules = nat('output', 'ip daddr 10.96.0.10 dnat to 127.0.0.1:80') + nat('prerouting', 'dnat to 127.0.0.1:99');
    expect(evaluate(rules, { from: 'host' }).endpoints.map(({ address }) => address)).toEqual(['127.0.0.1:80']);
  });

  test('packets of known connections see no nat chain, and match their state', () => {
    const rules =
      nat('prerouting', 'dnat to 10.0.0.1:80') + base('forward', '0', 'ct state established,related accept', 'drop');
    expect(evaluate(rules, { conntrackState: 'established' }).verdict).toBe('pass');
    expect(evaluate(rules).verdict).toBe('drop');
  });
});

describe('chains', () => {
  test('jump comes back to the next rule, goto to where the chain was called from', () => {
    const rules =
      base('forward', '0', 'jump a', 'counter comment "after jump"') +
      chain('a', 'goto b', 'counter comment "never"') +
      chain('b', 'ip saddr 10.244.0.9 return', 'drop');
    expect(rulesOf(evaluate(rules))).toEqual([
      'jump a',
      'goto b',
      'ip saddr 10.244.0.9 return',
      'counter comment "after jump"',
    ]);
  });

  test('a rule that fails halfway has still set the mark before', () => {
    const rules = base(
      'forward',
      '0',
      'meta mark set meta mark | 0x4 ip saddr 192.0.2.1 drop',
      'meta mark & 0x4 == 0x4 reject',
    );
    expect(evaluate(rules).verdict).toBe('reject');
  });

  test('marks are set and flipped, and do not grow beyond 32 bits', () => {
    const rules = base(
      'forward',
      '0',
      'meta mark set meta mark | 0x80000000',
      'meta mark set meta mark ^ 0x1',
      'meta mark & 0xffffffff == 0x80000001 drop',
    );
    expect(evaluate(rules).verdict).toBe('drop');
  });
});

describe('matches', () => {
  test.each<[string, boolean]>([
    ['ip saddr 10.244.0.0/16', true],
    ['ip saddr != 10.244.0.0/16', false],
    ['ip6 saddr != fd00::/8', false],
    ['ip saddr { 192.0.2.1, 10.244.0.1-10.244.0.20 }', true],
    ['ip saddr . ip daddr @pairs', true],
    ['tcp dport 80', true],
    ['udp dport 80', false],
    ['th dport 80-90', true],
    ['meta l4proto { udp, sctp }', false],
    ['iifname "veth*"', true],
    ['iifname != "veth1"', false],
    ['fib daddr type local', false],
    ['fib daddr type != local', true],
    ['ct status dnat', false],
  ])('%s: %s', (match, expected) => {
    const pairs = 'set pairs {\n type ipv4_addr . ipv4_addr\n elements = { 10.244.0.9 . 10.96.0.10 }\n}\n';
    const { verdict } = evaluate(pairs + base('forward', '0', `${match} drop`), { inInterface: 'veth1' });
    expect(verdict === 'drop').toBe(expected);
  });

  test('fib knows the addresses of the host and loopback', () => {
    const rules = base('input', '0', 'fib saddr type local fib daddr type local drop');
    expect(evaluate(rules, { source: '127.0.0.1', destination: '172.18.0.2' }).verdict).toBe('drop');
  });
});

describe('chance', () => {
  const map =
    'map backends {\n typeof numgen random mod 2 : ip daddr . th dport\n flags interval\n elements = { 100-109 : 10.0.0.1 . 8080, 110-139 : 10.0.0.2 . 8080 }\n}\n';

  test('every endpoint is reported with its share', () => {
    const evaluation = evaluate(
      nat(
        'prerouting',
        'meta l4proto tcp dnat ip to numgen random mod 3 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80, 2 : 10.0.0.1 . 80 }',
      ),
    );
    expect(evaluation.verdict).toBe('deliver');
    expect(evaluation.endpoints[0]).toMatchObject({ address: '10.0.0.1:80' });
    expect(evaluation.endpoints[0]!.probability).toBeCloseTo(2 / 3);
  });

  test('intervals of a shared map weigh by their width within the range that is drawn from', () => {
    const { endpoints } = evaluate(
      map + nat('prerouting', 'meta l4proto tcp dnat ip to numgen random mod 40 offset 100 map @backends'),
    );
    expect(endpoints.map(({ probability }) => probability)).toEqual([0.25, 0.75]);
  });

  test('numbers that no element has leave the packet as it is', () => {
    const { paths } = evaluate(
      map + nat('prerouting', 'meta l4proto tcp dnat ip to numgen random mod 80 offset 100 map @backends'),
    );
    expect(paths.find(({ verdict }) => verdict === 'pass')?.probability).toBeCloseTo(0.5);
  });

  test('ways that fork before masquerading are told apart', () => {
    const rules =
      nat('prerouting', 'numgen random mod 2 vmap { 0 : goto one, 1 : goto two }') +
      chain('one', 'meta mark set meta mark | 0x4000', 'meta l4proto tcp dnat to 10.0.0.1:80') +
      chain('two', 'meta l4proto tcp dnat to 10.0.0.1:80') +
      nat('postrouting', 'meta mark & 0x4000 != 0x0 masquerade fully-random');
    expect(evaluate(rules).endpoints).toEqual([
      { address: '10.0.0.1:80', probability: 0.5, masquerade: true },
      { address: '10.0.0.1:80', probability: 0.5, masquerade: false },
    ]);
  });
});

describe('session affinity', () => {
  const rules =
    'set sticky {\n type ipv4_addr\n flags dynamic,timeout\n timeout 3h\n}\n' +
    nat('prerouting', 'ip saddr @sticky dnat to 10.0.0.1:80', 'update @sticky { ip saddr } dnat to 10.0.0.2:80');

  test('a packet says whom it makes remember', () => {
    expect(evaluate(rules).paths).toMatchObject([
      { endpoint: '10.0.0.2:80', remembers: [{ list: 'sticky', client: '10.244.0.9' }] },
    ]);
  });

  test('who is remembered goes where he went', () => {
    const remembered = new Map([['sticky', new Set(['10.244.0.9'])]]);
    expect(evaluate(rules, {}, { ...host, remembered }).endpoints[0]?.address).toBe('10.0.0.1:80');
  });
});

test('rules that cannot be evaluated are passed over with a note', () => {
  const { verdict, paths } = evaluate(base('forward', '0', 'ip ttl 3 drop', 'drop'));
  expect(verdict).toBe('drop');
  expect(paths[0]!.notes).toEqual(['not evaluated: ip ttl 3 drop']);
});

test('IPv6 packets see tables of ip6 and inet only', () => {
  const tables = ['ip', 'ip6', 'inet']
    .map((family) => `table ${family} t {\n${base('forward', '0', `counter comment "${family}"`)}\n}\n`)
    .join('');
  const { paths } = evaluatePacket(
    { nftables: parseTables(tables) },
    { ...packet, source: 'fd00::1', destination: 'fd00::2' },
    host,
  );
  expect(paths[0]!.steps.map(({ table }) => table)).toEqual(['ip6 t', 'inet t']);
});

test('a destination that is no address is refused', () => {
  expect(() => evaluate('', { destination: 'web.default.svc' })).toThrow(RangeError);
});
