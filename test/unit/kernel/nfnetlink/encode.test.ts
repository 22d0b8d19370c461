import { describe, expect, test } from 'vitest';
import { encodeTransaction } from '../../../../src/kernel/nfnetlink/encode-transaction.ts';
import { encodeFields } from '../../../../src/kernel/nfnetlink/encode-value.ts';
import type { Statement } from '../../../../src/netfilter/nftables/rule.ts';
import type { DataType } from '../../../../src/netfilter/nftables/table.ts';
import type { Operation } from '../../../../src/netfilter/nftables/transaction.ts';

const hex = (text: string, ...types: readonly DataType[]): string => encodeFields(text, types).toString('hex');

describe('values', () => {
  test('several fields are padded to four bytes each, one alone is not', () => {
    expect(hex('10.0.0.1 . tcp . 80', 'ipv4_addr', 'inet_proto', 'inet_service')).toBe('0a0000010600000000500000');
    expect(hex('80', 'inet_service')).toBe('0050');
    expect(hex('fd00::1 . 53', 'ipv6_addr', 'inet_service')).toBe('fd00000000000000000000000000000100350000');
  });

  test('numbers are in the order of the host', () => {
    expect(hex('258', 'number')).toBe('02010000');
    expect(hex('4294967295', 'mark')).toBe('ffffffff');
  });

  test.each<[string, DataType]>([
    ['10.0.0', 'ipv4_addr'],
    ['10.0.0.256', 'ipv4_addr'],
    ['10.0.0.1.2', 'ipv4_addr'],
    ['10.0.0.', 'ipv4_addr'],
    ['.10.0.0.1', 'ipv4_addr'],
    ['010.0.0.1', 'ipv4_addr'],
    ['10.0.0.1 ', 'ipv4_addr'],
    ['', 'ipv4_addr'],
    ['fd00::1', 'ipv4_addr'],
    ['10.0.0.1', 'ipv6_addr'],
    ['fd00::1%eth0', 'ipv6_addr'],
    ['fd00:::1', 'ipv6_addr'],
    ['-1', 'inet_service'],
    ['65536', 'inet_service'],
    ['http', 'inet_service'],
    ['', 'inet_service'],
    ['1.5', 'inet_service'],
    ['256', 'inet_proto'],
    ['gre', 'inet_proto'],
    ['4294967296', 'number'],
    ['a-name-of-16-bytes', 'ifname'],
  ])('%j is no %s', (text, type) => {
    expect(() => hex(text, type)).toThrow(expect.objectContaining({ code: 'ERR_PARSE_RULES' }));
  });

  test('as many fields as types', () => {
    expect(() => hex('10.0.0.1 . tcp', 'ipv4_addr', 'inet_proto', 'inet_service')).toThrow(/10.0.0.1 . tcp/);
  });
});

describe('transactions', () => {
  const encode = (operations: readonly Operation[], check = false) =>
    encodeTransaction({ family: 'ip', table: 't', operations }, { check, rulesOf: () => [] });
  const types = (bytes: Buffer): number[] => {
    const found: number[] = [];
    for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) found.push(bytes.readUInt16LE(at + 4));
    return found;
  };
  const rule = (...statements: readonly Statement[]): Operation => ({
    kind: 'add-rule',
    chain: 'c',
    rule: { statements },
  });

  test('begin and end a batch; without its end the kernel only tries it', () => {
    expect(types(encode([{ kind: 'add-table' }]).bytes)).toEqual([16, 0xa00, 17]);
    expect(types(encode([{ kind: 'add-table' }], true).bytes)).toEqual([16, 0xa00]);
  });

  test('say which operation a message belongs to, the sets of a rule included', () => {
    const generator = { mode: 'random', modulus: 2, offset: 0 } as const;
    const elements = ['0', '1'].map((key) => ({ key, value: `10.0.0.${key} . 80` }));
    const { bytes, operationOf } = encode([
      { kind: 'add-table' },
      rule({ kind: 'dnat-map', family: 'ip', key: generator, map: { elements } }),
    ]);
    expect(types(bytes)).toEqual([16, 0xa00, 0xa09, 0xa0c, 0xa06, 17]);
    expect([0, 1, 2, 3, 4, 5].map(operationOf)).toEqual([undefined, 0, 1, 1, 1, undefined]);
  });

  test('divide elements into messages whose attributes hold them', () => {
    const set = { name: 's', key: ['ipv4_addr'], flags: [] } as const;
    const elements = Array.from({ length: 10_000 }, (_, index) => ({ key: `10.0.${index >> 8}.${index & 255}` }));
    const { bytes } = encode([{ kind: 'add-elements', set, elements }]);
    expect(types(bytes).filter((type) => type === 0xa0c).length).toBe(3);
    for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3)
      expect(bytes.readUInt32LE(at)).toBeLessThan(65_536);
  });

  test.each<[string, Operation]>([
    ['a rule of words', rule({ kind: 'other', text: 'log prefix "x"' })],
    ['a reject with a reason', rule({ kind: 'reject', with: 'icmp host-unreachable' })],
    ['an unknown state', rule({ kind: 'match', fields: ['ct state'], in: { elements: [{ key: 'knew' }] } })],
    [
      'an unknown address type',
      rule({ kind: 'match', fields: ['fib daddr type'], in: { elements: [{ key: 'remote' }] } }),
    ],
    ['a port as prefix', rule({ kind: 'match', fields: ['th dport'], in: { elements: [{ key: '80/8' }] } })],
    [
      'a value where a verdict belongs',
      {
        kind: 'add-elements',
        set: { name: 'm', key: ['ipv4_addr'], data: 'verdict', flags: [] },
        elements: [{ key: '10.0.0.1', value: 'drop' }],
      },
    ],
    ['a set of a type that is not known', { kind: 'add-set', set: { name: 's', key: ['other'], flags: [] } }],
  ])('%s is refused before it is sent', (_what, operation) => {
    expect(() => encode([operation])).toThrow(expect.objectContaining({ code: 'ERR_PARSE_RULES' }));
  });
});
