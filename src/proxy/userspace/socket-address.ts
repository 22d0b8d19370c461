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

/**
 * Where somebody is, in as little memory as it takes: a number for IPv4 (address and port), a text of bytes for IPv6 (port and
 * address). `bytes` is a `sockaddr_in` or `sockaddr_in6`, which begins at `offset`.
 */
export type PackedAddress = number | string;

export function packSocketAddress(bytes: Buffer, offset = 0): PackedAddress {
  // Lower byte of the family, which is little-endian on both processors.
  if (bytes[offset] === AF_INET) return bytes.readUInt32BE(offset + 4) * 65_536 + bytes.readUInt16BE(offset + 2);
  return bytes.toString('latin1', offset + 2, offset + 4) + bytes.toString('latin1', offset + 8, offset + 24);
}

/** The address and port that were packed. */
export function unpackSocketAddress(packed: PackedAddress): ListenAddress {
  if (typeof packed === 'number') {
    const bits = Math.floor(packed / 65_536);
    return {
      host: [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join('.'),
      port: packed % 65_536,
    };
  }
  const bytes = Buffer.from(packed, 'latin1');
  return { host: printAddress('ipv6', BigInt(`0x${bytes.toString('hex', 2)}`)), port: bytes.readUInt16BE(0) };
}

/** A client whatever its port, as text. */
export function unpackClient(client: PackedAddress): string {
  return unpackSocketAddress(typeof client === 'number' ? client * 65_536 : `\0\0${client}`).host;
}

/** What `unpackClient` was given. */
export function packClient(address: string): PackedAddress {
  return withoutPort(packSocketAddress(encodeSocketAddress({ host: address, port: 0 })));
}

/** The same client whatever its port. */
export function withoutPort(packed: PackedAddress): PackedAddress {
  return typeof packed === 'number' ? Math.floor(packed / 65_536) : packed.slice(2);
}

/** `ip:port` of an address, brackets around IPv6. */
export function printSocketAddress({ host, port }: ListenAddress): string {
  return joinHostPort(host, port);
}
