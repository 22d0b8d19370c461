import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeSocketAddress,
  packSocketAddress,
  unpackSocketAddress,
  withoutPort,
} from '../../../../src/proxy/userspace/socket-address.ts';

const port = fc.integer({ min: 0, max: 65_535 });

describe('a packed address', () => {
  it('of IPv4 is unpacked as it was', () => {
    fc.assert(
      fc.property(fc.ipV4(), port, (host, number) => {
        const address = { host, port: number };
        expect(unpackSocketAddress(packSocketAddress(encodeSocketAddress(address)))).toEqual(address);
      }),
    );
  });

  it.each(['::1', 'fd00:10:244::7', '2001:db8::1:0:0:1'])('of %s is unpacked as it was', (host) => {
    const address = { host, port: 443 };
    expect(unpackSocketAddress(packSocketAddress(encodeSocketAddress(address)))).toEqual(address);
  });

  it('is read where it begins', () => {
    const bytes = Buffer.concat([Buffer.alloc(5, 2), encodeSocketAddress({ host: '10.244.0.9', port: 1 })]);
    expect(unpackSocketAddress(packSocketAddress(bytes, 5))).toEqual({ host: '10.244.0.9', port: 1 });
  });

  it.each(['255.255.255.255', 'fd00::1'])('of %s is the same client on every port, and no other', (host) => {
    const clientOf = (at: string, number: number) =>
      withoutPort(packSocketAddress(encodeSocketAddress({ host: at, port: number })));
    expect(clientOf(host, 1)).toBe(clientOf(host, 65_535));
    expect(clientOf(host, 1)).not.toBe(clientOf(host.includes(':') ? 'fd00::2' : '255.255.255.254', 1));
  });
});
