import { isIPv4 } from 'node:net';
import { addressBits, joinHostPort, printAddress } from '../../netfilter/address.ts';
import type { ListenAddress } from './listener.ts';

const AF_INET = 2;
const AF_INET6 = 10;

/** Length of the longest address, `sockaddr_in6`. */
export const SOCKET_ADDRESS_LENGTH = 28;

/** The 4 or 16 bytes of a literal address, in network order. */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  return Buffer.from(addressBits(address).toString(16).padStart(32, '0'), 'hex');
}

/** A `sockaddr_in` or `sockaddr_in6` as the kernel takes it. */
export function encodeSocketAddress({ host, port }: ListenAddress): Buffer {
  const bytes = addressBytes(host);
  const v4 = bytes.length === 4;
  const out = Buffer.alloc(v4 ? 16 : SOCKET_ADDRESS_LENGTH);
  out.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
  out.writeUInt16BE(port, 2);
  out.set(bytes, v4 ? 4 : 8);
  return out;
}

/** The address and port of a `sockaddr_in` or `sockaddr_in6` that begins at `offset`. */
export function decodeSocketAddress(bytes: Buffer, offset = 0): ListenAddress {
  const port = bytes.readUInt16BE(offset + 2);
  if (bytes.readUInt16LE(offset) === AF_INET) {
    return { host: bytes.subarray(offset + 4, offset + 8).join('.'), port };
  }
  const hex = bytes.subarray(offset + 8, offset + 24).toString('hex');
  return { host: printAddress('ipv6', BigInt(`0x${hex}`)), port };
}

/** `ip:port` of an address, brackets around IPv6. */
export function printSocketAddress({ host, port }: ListenAddress): string {
  return joinHostPort(host, port);
}
