import { expect, it } from 'vitest';
import { buildProxyHeader } from '../../../../src/proxy/userspace/proxy-protocol.ts';
import { decodeSocketAddress, encodeSocketAddress } from '../../../../src/proxy/userspace/socket-address.ts';

it('names client and destination as version 2 of the PROXY protocol says', () => {
  const header = buildProxyHeader({ host: '10.244.0.9', port: 40_000 }, { host: '10.96.0.10', port: 80 });
  expect(header.toString('hex')).toBe('0d0a0d0a000d0a515549540a2111000c0af400090a60000a9c400050');
});

it('has 36 bytes of addresses for IPv6', () => {
  const header = buildProxyHeader({ host: 'fd00::9', port: 1 }, { host: 'fd00::a', port: 2 });
  expect(header.subarray(12, 16).toString('hex')).toBe('21210024');
  expect(header).toHaveLength(16 + 36);
});

it.each([
  { host: '192.0.2.7', port: 53 },
  { host: 'fd00:10:96::a', port: 65_535 },
])('socket addresses of $host survive being encoded', (address) => {
  expect(decodeSocketAddress(encodeSocketAddress(address))).toEqual(address);
});
