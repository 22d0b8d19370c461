import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipBytes, macBytes, prefixBytes, withoutPrefixLength } from '../../../../src/kernel/ffi/ip-bytes.ts';
import { internetAddress, linkLayerAddress, portOf } from '../../../../src/kernel/ffi/socket-address.ts';

// WHATWG URL is a second, independent reader of IPv6 addresses.
const canonical = (bytes: Buffer) => {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname;
};

describe('addresses as bytes', () => {
  it('IPv4 is its four numbers', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => ipBytes(address).join('.') === address));
  });

  it('IPv6 in every notation means what a URL takes it for', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(canonical(ipBytes(address))).toBe(new URL(`http://[${address}]`).hostname);
      }),
    );
  });

  it.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ])('%s is %s', (address, hex) => {
    expect(ipBytes(address).toString('hex')).toBe(hex);
  });

  it.each(['localhost', '', '10.0.0', '10.0.0.256', '::g', '10.0.0.1/24'])('%o is refused', (text) => {
    expect(() => ipBytes(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ADDRESS' }));
  });

  it('a prefix has its length, and one host without', () => {
    expect(prefixBytes('10.244.1.0/24')).toEqual({ bytes: Buffer.from([10, 244, 1, 0]), length: 24 });
    expect(prefixBytes('10.0.0.1').length).toBe(32);
    expect(prefixBytes('::1').length).toBe(128);
    expect(withoutPrefixLength('fd00::1/64')).toBe('fd00::1');
  });

  it.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/-1'])('%s has no prefix length', (text) => {
    expect(() => prefixBytes(text)).toThrow(/prefix length/);
  });

  it.each(['02:42:ac:12:00', '02-42-ac-12-00-02', 'gg:42:ac:12:00:02'])('%s is no MAC', (text) => {
    expect(() => macBytes(text)).toThrow(/not a MAC address/);
  });
});

describe('socket addresses', () => {
  it('are what bind(2) takes', () => {
    expect(internetAddress('10.0.0.1', 80).toString('hex')).toBe('020000500a0000010000000000000000');
    const v6 = internetAddress('fd00::1', 53);
    expect(v6).toHaveLength(28);
    expect(v6.subarray(0, 4).toString('hex')).toBe('0a000035');
    expect(v6.subarray(8, 24).toString('hex')).toBe('fd000000000000000000000000000001');
    expect(portOf(v6)).toBe(53);
  });

  it('of frames name link, type and MAC', () => {
    const address = linkLayerAddress(0x0806, 7, macBytes('ff:ff:ff:ff:ff:ff'));
    expect(address.toString('hex')).toBe('1100080607000000000000' + '06' + 'ffffffffffff0000');
  });
});
