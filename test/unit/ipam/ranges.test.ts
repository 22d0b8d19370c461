import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressRangeProblem, parseAddressRange, pickAddress } from '../../../src/ipam/address-range.ts';
import { parseNodeCIDRRange, pickNodeCIDR } from '../../../src/ipam/node-cidrs.ts';
import { parsePortRange, pickPort, portRangeProblem } from '../../../src/ipam/port-range.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

describe('ranges of cluster IPs', () => {
  // The table of KEP-3070.
  test.each([
    ['10.96.0.0/24', 16n, 254n],
    ['10.96.0.0/20', 256n, 4094n],
    ['10.96.0.0/16', 256n, 65534n],
    ['10.96.0.0/28', 0n, 14n],
    ['fd00::/112', 256n, 65535n],
  ])('%s keeps %s addresses for static use of %s', (text, band, size) => {
    expect(parseAddressRange(text)).toMatchObject({ staticBand: band, size });
  });

  test.each(['10.96.0.0/32', '10.96.0.0/31', 'fd00::/63', 'fd00::/128', 'x'])('%s cannot be one', (text) => {
    expect(() => parseAddressRange(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ADDRESS' }));
  });

  test('without randomness the dynamic band is filled in order, then the static band', () => {
    const range = parseAddressRange('10.96.0.0/27');
    const taken = new Set<string>();
    for (let i = 0; i < 30; i++) taken.add(pickAddress(range, { isFree: (address) => !taken.has(address) })!);
    const order = [...taken];
    expect(order[0]).toBe('10.96.0.17');
    expect(order[13]).toBe('10.96.0.30');
    expect(order[14]).toBe('10.96.0.1');
    expect(order[29]).toBe('10.96.0.16');
    expect(pickAddress(range, { isFree: (address) => !taken.has(address) })).toBeUndefined();
  });

  test('with randomness every address is handed out once, the dynamic band first', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 24, max: 30 }), (seed, length) => {
        const range = parseAddressRange(`10.96.0.0/${length}`);
        const random = seededRandom(seed);
        const taken = new Set<string>();
        const isFree = (address: string): boolean => !taken.has(address);
        const dynamic = Number(range.size - range.staticBand);
        for (let i = 0; i < Number(range.size); i++) {
          const offset = Number(pickAddress(range, { isFree, random })!.split('.')[3]) - 1;
          expect(offset >= Number(range.staticBand)).toBe(i < dynamic);
          taken.add(`10.96.0.${offset + 1}`);
        }
        expect(taken.size).toBe(Number(range.size));
      }),
      { numRuns: 30 },
    );
  });

  test('an address outside is refused in the words of the real server', () => {
    const range = parseAddressRange('10.96.0.0/24');
    expect(addressRangeProblem(range, '10.96.0.1')).toBeUndefined();
    for (const address of ['10.96.0.0', '10.96.0.255', '10.97.0.1', 'fd00::1']) {
      expect(addressRangeProblem(range, address)).toBe(
        `the provided IP (${address}) is not in the valid range. The range of valid IPs is 10.96.0.0/24`,
      );
    }
  });

  test('the last address of an IPv6 block may be handed out', () => {
    expect(addressRangeProblem(parseAddressRange('fd00::/112'), 'fd00::ffff')).toBeUndefined();
  });

  test('a /64 is no larger to search than a /24', () => {
    const address = pickAddress(parseAddressRange('fd00::/64'), { isFree: () => true, random: () => 0.999999 });
    expect(address).toMatch(/^fd00::1f:fffd:/);
  });
});

describe('ranges of node ports', () => {
  test('30000-32767 keeps 86 ports for static use', () => {
    expect(parsePortRange('30000-32767')).toMatchObject({ staticBand: 86n, size: 2768n });
    expect(pickPort(parsePortRange('30000-32767'), { isFree: () => true })).toBe(30086);
  });

  test.each(['30000', '30000-', '0-5', '5-4', '1-65536', 'a-b', '-1-5'])('"%s" is none', (text) => {
    expect(() => parsePortRange(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CONFIG' }));
  });

  test('a full range says so', () => {
    expect(pickPort(parsePortRange('30000-30001'), { isFree: () => false, random: seededRandom() })).toBeUndefined();
  });

  test('a port outside is refused in the words of the real server', () => {
    expect(portRangeProblem(parsePortRange('30000-32767'), 80)).toBe(
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
  });
});

describe('shares of the pod range', () => {
  test('each node gets the lowest free share', () => {
    const range = parseNodeCIDRRange('10.244.0.0/16');
    const taken = new Set(['10.244.0.0/24', '10.244.1.0/24', '10.244.3.0/24']);
    expect(pickNodeCIDR(range, (cidr) => !taken.has(cidr))).toBe('10.244.2.0/24');
    expect(pickNodeCIDR(parseNodeCIDRRange('fd00:10:244::/56'), () => true)).toBe('fd00:10:244::/64');
  });

  test('the range can run out', () => {
    expect(pickNodeCIDR(parseNodeCIDRRange('10.244.0.0/23'), () => false)).toBeUndefined();
  });

  test('a share must fit', () => {
    expect(() => parseNodeCIDRRange('10.244.0.0/25')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CONFIG' }));
    expect(parseNodeCIDRRange('10.244.0.0/25', { nodePrefixLength: 26 }).nodePrefixLength).toBe(26);
  });
});
