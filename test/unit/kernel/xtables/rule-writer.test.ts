import { describe, expect, it } from 'vitest';
import { LAYOUTS } from '../../../../src/kernel/xtables/entry-layout.ts';
import { RuleWriter } from '../../../../src/kernel/xtables/rule-writer.ts';
import { parseRule } from '../../../../src/netfilter/iptables/parse-rule.ts';
import type { Family } from '../../../../src/netfilter/runner.ts';

// What iptables 1.8.9 writes, read back with IPT_SO_GET_ENTRIES: what is compared with the packet's header, then each match
// and the target as `name/revision` and its data. Zeros at the end of a part are left out.
const CASES: readonly (readonly [rule: string, family: Family, condition: string, ...parts: readonly string[]])[] = [
  [
    '-d 10.96.0.1/32 -p tcp -m comment --comment "default/a:b cluster IP" -m tcp --dport 443 -j RETURN',
    'ipv4',
    `000000000a60000100000000ffffffff${'00'.repeat(64)}06`,
    `comment/0 ${Buffer.from('default/a:b cluster IP').toString('hex')}`,
    'tcp/0 0000ffffbb01bb01',
    '/0 fbffffff',
  ],
  [
    '! -s 10.244.0.0/16 -i eth0 -o veth+ -j ACCEPT',
    'ipv4',
    `0af4000000000000ffff00000000000065746830${'00'.repeat(12)}766574682b${'00'.repeat(11)}ffffffffff${'00'.repeat(11)}ffffffff${'00'.repeat(15)}08`,
    '/0 feffffff',
  ],
  [
    '-p sctp -m sctp --dport 53 -j DROP',
    'ipv4',
    `${'00'.repeat(80)}84`,
    `sctp/0 35003500${'00'.repeat(264)}ff0000ff0000ff0000ff00000000000002`,
    '/0 ffffffff',
  ],
  ['-m addrtype ! --src-type LOCAL -j ACCEPT', 'ipv4', '', 'addrtype/1 0400000001', '/0 feffffff'],
  ['-m mark ! --mark 0x4000/0x4000 -j RETURN', 'ipv4', '', 'mark/1 004000000040000001', '/0 fbffffff'],
  [
    '-m statistic --mode random --probability 0.3333333333 -j RETURN',
    'ipv4',
    '',
    'statistic/0 00000000abaaaa2a00000000abaaaa2a',
    '/0 fbffffff',
  ],
  [
    '-m statistic --mode nth --every 3 --packet 0 -j RETURN',
    'ipv4',
    '',
    'statistic/0 01000000020000000000000002',
    '/0 fbffffff',
  ],
  [
    '-m recent --name KUBE-SEP-X --rcheck --seconds 10800 --reap -j ACCEPT',
    'ipv4',
    '',
    `recent/1 302a0000000000002100${Buffer.from('KUBE-SEP-X').toString('hex')}${'00'.repeat(192)}${'ff'.repeat(16)}`,
    '/0 feffffff',
  ],
  [
    '-m conntrack ! --ctstate INVALID,DNAT,SNAT -j ACCEPT',
    'ipv4',
    '',
    `conntrack/3 ${'00'.repeat(146)}01000100c1`,
    '/0 feffffff',
  ],
  ['-m physdev ! --physdev-is-in -j ACCEPT', 'ipv4', '', `physdev/0 ${'00'.repeat(64)}0808`, '/0 feffffff'],
  ['-j MARK --or-mark 0x4000', 'ipv4', '', 'MARK/2 004000000040'],
  ['-j MASQUERADE --random-fully', 'ipv4', '', 'MASQUERADE/0 0100000010'],
  ['-j MASQUERADE --random-fully', 'ipv6', '', 'MASQUERADE/0 10'],
  ['-p tcp -j REJECT', 'ipv4', `${'00'.repeat(80)}06`, 'REJECT/0 03'],
  ['-p tcp -j REJECT --reject-with tcp-reset', 'ipv6', `${'00'.repeat(128)}06000001`, 'REJECT/0 06'],
  [
    '-p tcp -m tcp -j DNAT --to-destination 10.1.1.1:80',
    'ipv4',
    `${'00'.repeat(80)}06`,
    'tcp/0 0000ffff0000ffff',
    `DNAT/2 030000000a010101${'00'.repeat(12)}0a010101${'00'.repeat(12)}00500050`,
  ],
  [
    '-p udp -m udp -j DNAT --to-destination [fd00::7]:53',
    'ipv6',
    `${'00'.repeat(128)}11000001`,
    'udp/0 0000ffff0000ffff',
    `DNAT/2 03000000fd${'00'.repeat(14)}07fd${'00'.repeat(14)}0700350035`,
  ],
];

describe('a rule in the form of the kernel', () => {
  it.each([...CASES])('is that of the program: %s, %s', (rule, family, condition, ...parts) => {
    expect(describeRule(rule, family as Family)).toEqual([condition, ...parts]);
  });

  it.each([
    '-s 10.0.0.0/33 -j ACCEPT',
    '-s 10.0.0 -j ACCEPT',
    '-s 10.0.0.256 -j ACCEPT',
    '-s fd00::1 -j ACCEPT',
    '-s example.org -j ACCEPT',
    '-s 10.0.0.1 -s 10.0.0.2 -j ACCEPT',
    '-p 6 -j ACCEPT',
    '-p tcp -m tcp --dport http -j ACCEPT',
    '-p tcp -m tcp --dport 65536 -j ACCEPT',
    '-p tcp -m tcp --dport 90:80 -j ACCEPT',
    '-p tcp -m tcp ! --dport 80 -j ACCEPT',
    '-p tcp -m tcp --syn -j ACCEPT',
    '-i abcdefghijklmnop -j ACCEPT',
    `-m comment --comment "${'a'.repeat(256)}" -j ACCEPT`,
    `-m comment --comment "${'a'.repeat(254)}\u20ac" -j ACCEPT`,
    '-m mark --mark none -j ACCEPT',
    '-m statistic --mode random --probability 1.5 -j ACCEPT',
    '-m statistic --mode nth --every 3 --packet 3 -j ACCEPT',
    '-m statistic --mode nth --every 0 -j ACCEPT',
    '-m recent --rcheck --hitcount 3 --name X -j ACCEPT',
    '-m recent --set --rdest --name X -j ACCEPT',
    '-m recent --set --mask 255.255.255.0 --name X -j ACCEPT',
    '-m conntrack --ctstate NEW,OTHER -j ACCEPT',
    '-m limit --limit 3/min -j ACCEPT',
    '-j DNAT --to-destination 10.0.0.1:80',
    '-p tcp -j DNAT --to-destination 10.0.0.1:0',
    '-p tcp -j DNAT --to-destination 010.0.0.1:80',
    '-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80',
    '-p tcp -j DNAT --to-destination 10.0.0.1:80 --random',
    '-p udp -j REJECT --reject-with tcp-reset',
    '-j MASQUERADE --to-ports 1-2',
    '-j LOG --log-prefix x',
  ])('is left to the program: %s', (rule) => {
    const writer = new RuleWriter(LAYOUTS.ipv4);
    const before = writer.writeFoot();
    expect(writer.write(parseRule(rule))).toBeUndefined();
    // Nothing of it stays behind.
    const { slab, start, end } = writer.writeFoot();
    expect(slab.subarray(start, end)).toEqual(before.slab.subarray(before.start, before.end));
    expect(start).toBe(before.end);
  });
});

function describeRule(text: string, family: Family): string[] {
  const layout = LAYOUTS[family];
  const { slab, start, end } = new RuleWriter(layout).write(parseRule(text))!;
  const bytes = slab.subarray(start, end);
  const hex = (from: number, to: number): string => bytes.toString('hex', from, to).replace(/(?:00)+$/, '');
  const found = [hex(0, layout.conditionBytes)];
  for (let at = layout.headerBytes; at < bytes.length; ) {
    const size = bytes.readUInt16LE(at);
    const name = bytes.toString('latin1', at + 2, bytes.indexOf(0, at + 2));
    found.push(`${name}/${bytes[at + 31]} ${hex(at + 32, at + size)}`);
    at += size;
  }
  return found;
}
