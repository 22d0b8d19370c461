import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressBits,
  canonicalAddress,
  familyOf,
  joinHostPort,
  parsePrefix,
  prefixContains,
  printAddress,
  printPrefix,
} from '../../../src/netfilter/address.ts';

describe('an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', 'ipv4'],
    ['010.001.000.009', '10.1.0.9', 'ipv4'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 'ipv6'],
    ['::', '::', 'ipv6'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', 'ipv6'],
    ['::ffff:192.0.2.1', '192.0.2.1', 'ipv4'],
    ['::ffff:c000:201', '192.0.2.1', 'ipv4'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201', 'ipv6'],
  ])('%s is written %s', (text, canonical, family) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(familyOf(text)).toBe(family);
  });

  it.each(['', 'x', '1.2.3', '1.2.3.256', '1.2.3.4.5', 'fe80::1%eth0', '::1::', '10.0.0.1/8', ' 10.0.0.1'])(
    '%j is none',
    (text) => {
      expect(canonicalAddress(text)).toBeUndefined();
      expect(familyOf(text)).toBeUndefined();
    },
  );

  it('survives the way through its bits, in the spelling of RFC 5952', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (bits) => {
        const text = printAddress('ipv6', bits);
        expect(isIPv6(text)).toBe(true);
        if (familyOf(text) === 'ipv4') return;
        expect(addressBits(text)).toBe(bits);
        expect(canonicalAddress(text)).toBe(text);
        expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
      }),
    );
  });

  it('never throws for hostile text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        canonicalAddress(text);
      }),
    );
  });
});

describe('a prefix', () => {
  it('has no host bits', () => {
    expect(printPrefix(parsePrefix('10.1.2.3/8')!)).toBe('10.0.0.0/8');
    expect(printPrefix(parsePrefix('fd00::1/64')!)).toBe('fd00::/64');
    expect(printPrefix(parsePrefix('192.0.2.1')!)).toBe('192.0.2.1/32');
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/+8', '10.0.0.0/8 ', '::/129', 'x/8', ''])('%j is none', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });

  it('contains addresses of its own family in any spelling', () => {
    const prefix = parsePrefix('10.96.0.0/12')!;
    expect(prefixContains(prefix, '10.111.255.255')).toBe(true);
    expect(prefixContains(prefix, '010.096.0.1')).toBe(true);
    expect(prefixContains(prefix, '10.112.0.0')).toBe(false);
    expect(prefixContains(prefix, '::1')).toBe(false);
    expect(prefixContains(parsePrefix('::/0')!, '10.0.0.1')).toBe(false);
    expect(prefixContains(parsePrefix('0.0.0.0/0')!, '255.255.255.255')).toBe(true);
  });
});

it('brackets stand around IPv6 in front of a port', () => {
  expect(joinHostPort('fd00::1', 80)).toBe('[fd00::1]:80');
  expect(joinHostPort('10.0.0.1', 80)).toBe('10.0.0.1:80');
});
