import { describe, expect, test } from 'vitest';
import {
  addressAt,
  addressesOf,
  contains,
  overlaps,
  parseCIDR,
  parseOptionalCIDR,
  printCIDR,
  sizeOf,
  subnetAt,
  subnetCount,
} from '../../../src/ipam/cidr.ts';

describe('CIDR blocks', () => {
  test.each([
    ['10.244.0.0/16', '10.244.0.0/16', 65536n],
    ['10.0.0.1/8', '10.0.0.0/8', 16777216n],
    ['0.0.0.0/0', '0.0.0.0/0', 4294967296n],
    ['192.0.2.1/32', '192.0.2.1/32', 1n],
    ['fd00:10:244::/56', 'fd00:10:244::/56', 1n << 72n],
    ['::/0', '::/0', 1n << 128n],
    ['1:2:3:4:5:6:7::/128', '1:2:3:4:5:6:7:0/128', 1n],
    ['::ffff:10.0.0.1/112', '::ffff:10.0.0.0/112', 65536n],
  ])('%s is the block %s of %s addresses', (text, network, size) => {
    const cidr = parseCIDR(text);
    expect(printCIDR(cidr)).toBe(network);
    expect(sizeOf(cidr)).toBe(size);
  });

  test('host bits are kept apart from the network address', () => {
    const { first, address } = parseCIDR('10.0.0.1/8');
    expect(address - first).toBe(1n);
  });

  test.each([
    '',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0/8',
    'fd00::/129',
    '10.0.0.0/8/8',
    '/8',
  ])('"%s" is refused with a hint', (text) => {
    expect(() => parseCIDR(text)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ADDRESS', hint: expect.any(String) }),
    );
    expect(parseOptionalCIDR(text)).toBeUndefined();
  });

  test('a block contains its first and its last address and no other family', () => {
    const cidr = parseCIDR('10.96.0.0/12');
    expect(
      ['10.96.0.0', '10.111.255.255', '10.112.0.0', '10.95.255.255', '::ffff:10.96.0.1', 'x'].map((a) =>
        contains(cidr, a),
      ),
    ).toEqual([true, true, false, false, false, false]);
  });

  test('addresses are counted from the network address', () => {
    const cidr = parseCIDR('10.244.1.0/30');
    expect([...addressesOf(cidr)]).toEqual(['10.244.1.0', '10.244.1.1', '10.244.1.2', '10.244.1.3']);
    expect(addressAt(cidr, 3)).toBe('10.244.1.3');
    expect(() => addressAt(cidr, 4)).toThrow(expect.objectContaining({ code: 'ERR_NOT_IN_RANGE' }));
    expect(addressAt(parseCIDR('fd00::/64'), 1n << 40n)).toBe('fd00::100:0:0');
  });

  test('a block is cut into shares in order', () => {
    const cidr = parseCIDR('10.244.0.0/16');
    expect(subnetCount(cidr, 24)).toBe(256n);
    expect(printCIDR(subnetAt(cidr, 24, 255))).toBe('10.244.255.0/24');
    expect(() => subnetAt(cidr, 24, 256)).toThrow(expect.objectContaining({ code: 'ERR_RANGE_FULL' }));
    expect(printCIDR(subnetAt(parseCIDR('fd00:10:244::/56'), 64, 3))).toBe('fd00:10:244:3::/64');
  });

  test('blocks overlap when they share an address', () => {
    expect(overlaps(parseCIDR('10.0.0.0/8'), parseCIDR('10.244.0.0/16'))).toBe(true);
    expect(overlaps(parseCIDR('10.0.0.0/9'), parseCIDR('10.128.0.0/9'))).toBe(false);
    expect(overlaps(parseCIDR('0.0.0.0/0'), parseCIDR('::/0'))).toBe(false);
  });
});
