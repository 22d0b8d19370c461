import { isIPv6 } from 'node:net';
import type { Family } from '../../netfilter/runner.ts';
import { ipBytes, type TextRange, writeIPv4 } from '../ffi/ip-bytes.ts';

export interface AddressText extends TextRange {
  readonly family: Family;
}

/** Writes an address of the family in network order; false when the text is none. */
export function writeAddress(into: Buffer, at: number, place: AddressText): boolean {
  if (place.family === 'ipv4') return writeIPv4(into, at, place);
  const address = place.text.slice(place.start, place.end);
  if (!isIPv6(address) || address.includes('%')) return false;
  into.set(ipBytes(address), at);
  return true;
}

/** The number behind the slash of a prefix; NaN when it is none. */
export function prefixLength(prefix: string, at: number): number {
  const digits = prefix.slice(at);
  return /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN;
}
