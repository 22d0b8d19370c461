import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOfReverse, parseIp, printIp, reverseName } from '../../../../src/dns/wire/ip.ts';
import { ipNetContains, parseIpNet } from '../../../../src/dns/wire/ip-net.ts';

describe('parseIp', () => {
  it('agrees with the platform on every IPv4 and IPv6 literal', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => void expect(parseIp(text)).toHaveLength(4)));
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        const bytes = parseIp(text)!;
        // The platform keeps a mapped address in IPv6 form; Go, and so CoreDNS, makes it IPv4.
        if (bytes.length === 4) expect(canonical).toMatch(/^::ffff:/);
        else expect(printIp(bytes)).toBe(canonical);
      }),
    );
  });

  it('refuses what the platform refuses, leading zeros and zones', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-f:.]{0,20}$/), (text) => {
        expect(parseIp(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
      }),
    );
    for (const text of ['01.2.3.4', 'fe80::1%eth0', '1.2.3', '256.1.1.1', '1:2', ':::', '1::2::3', '']) {
      expect(parseIp(text), text).toBeUndefined();
    }
  });

  it('takes an IPv4-mapped address for IPv4, as Go does', () => {
    expect(parseIp('::ffff:192.0.2.1')).toEqual(Uint8Array.of(192, 0, 2, 1));
  });
});

describe('reverse names', () => {
  it('lead back to the address', () => {
    for (const address of ['10.96.0.1', '2001:db8::567:89ab', 'fd00:96::2', '::1']) {
      expect(addressOfReverse(reverseName(address)!)).toBe(address);
    }
  });

  it('of incomplete or foreign names lead nowhere', () => {
    for (const name of [
      '0.96.10.in-addr.arpa.',
      'x.1.0.96.10.in-addr.arpa.',
      'in-addr.arpa.',
      'a.b.ip6.arpa.',
      'web.',
    ]) {
      expect(addressOfReverse(name), name).toBeUndefined();
    }
    expect(reverseName('web')).toBeUndefined();
  });
});

describe('parseIpNet', () => {
  it('holds its addresses and no others', () => {
    const holds = (net: string, address: string): boolean => ipNetContains(parseIpNet(net)!, parseIp(address)!);
    expect(holds('10.0.0.0/9', '10.127.255.255')).toBe(true);
    expect(holds('10.0.0.0/9', '10.128.0.0')).toBe(false);
    expect(holds('fd00::/7', 'fc00::1')).toBe(true);
    expect(holds('0.0.0.0/0', '203.0.113.9')).toBe(true);
    expect(holds('0.0.0.0/0', '::1')).toBe(false);
    expect(holds('192.0.2.1', '192.0.2.1')).toBe(true);
    for (const text of ['10.0.0.0/33', '10.0.0.0/x', 'web/8', '10.0.0.0/8/8']) expect(parseIpNet(text)).toBeUndefined();
  });
});
