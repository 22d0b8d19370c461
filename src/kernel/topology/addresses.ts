import { isIPv6 } from 'node:net';
import { prefixBytes, printIp, withoutPrefixLength } from '../ffi/ip-bytes.ts';

/** Whether an address or prefix is of IPv6. */
export function isV6(address: string): boolean {
  return isIPv6(withoutPrefixLength(address));
}

/** The first of `addresses` that has the family of `like`, without prefix length. */
export function sameFamily(addresses: readonly string[], like: string): string | undefined {
  const found = addresses.find((address) => isV6(address) === isV6(like));
  return found === undefined ? undefined : withoutPrefixLength(found);
}

/** `0.0.0.0/0` or `::/0`, whichever is of the address's family. */
export function everywhere(like: string): string {
  return isV6(like) ? '::/0' : '0.0.0.0/0';
}

/** A single address as a prefix: `/32` or `/128`. */
export function hostPrefix(address: string): string {
  return `${address}/${isV6(address) ? 128 : 32}`;
}

/** The first address of a range behind its network address, with the range's prefix length: `10.244.1.1/24`. */
export function firstAddress(cidr: string): string {
  const { bytes, length } = prefixBytes(cidr);
  bytes[bytes.length - 1]! |= 1;
  return `${printIp(bytes)}/${length}`;
}
