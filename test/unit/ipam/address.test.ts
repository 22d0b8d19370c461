import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { IPv4, IPv6 } from 'ip-num';
import { describe, expect, test } from 'vitest';
import { canonicalAddress, familyOf, parseAddress, printAddress } from '../../../src/ipam/address.ts';

describe('addresses', () => {
  test.each([
    ['10.96.0.1', '10.96.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:0:2:0:0:3:0:0', '1:0:2::3:0:0'],
    ['0:0:2:0:0:0:3:0', '0:0:2::3:0'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['fd00:10:96::000a', 'fd00:10:96::a'],
  ])('%s is written %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '1.2.3.256',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.',
    '1..2.3',
    '+1.2.3.4',
    '0x1.2.3.4',
    '1.2.3.4/32',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '12345::',
    'fe80::1%eth0',
    ':1::',
    '1:',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '[::1]',
    '::٣',
  ])('"%s" is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(familyOf(text)).toBeUndefined();
  });

  test('every IPv4 number is printed and read back, and agrees with ip-num', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (number) => {
        const text = printAddress({ family: 'IPv4', value: BigInt(number) });
        expect(new IPv4(text).getValue()).toBe(BigInt(number));
        expect(parseAddress(text)).toEqual({ family: 'IPv4', value: BigInt(number) });
      }),
    );
  });

  test('every IPv6 number is printed and read back, and agrees with ip-num', () => {
    const sparse = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(sparse, (groups) => {
        const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
        const text = printAddress({ family: 'IPv6', value });
        expect(parseAddress(text)).toEqual({ family: 'IPv6', value });
        expect(new IPv6(groups.map((group) => group.toString(16)).join(':')).getValue()).toBe(value);
      }),
    );
  });

  test('what node:net takes for an address is one, and nothing else is', () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'0129afg:.%/ '), maxLength: 24 });
    fc.assert(
      fc.property(hostile, (text) => {
        const expected = text.includes('%') ? undefined : isIPv4(text) ? 'IPv4' : isIPv6(text) ? 'IPv6' : undefined;
        expect(familyOf(text)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
