import { isIPv6 } from 'node:net';
import type { Family } from '../../netfilter/runner.ts';
import { ipBytes } from '../ffi/ip-bytes.ts';

const DOT = 46;
const ZERO = 48;

export interface AddressText {
  readonly family: Family;
  readonly text: string;
  /** Where the address begins and ends in the text. */
  readonly start?: number;
  readonly end: number;
}

/**
 * Writes an address of the family in network order; false when the text is none. IPv4 is read digit by digit, as there is one
 * in nearly every rule of a large table.
 */
export function writeAddress(into: Buffer, at: number, { family, text, start = 0, end }: AddressText): boolean {
  if (family === 'ipv4') return writeIPv4(into, at, { text, start, end });
  const address = text.slice(start, end);
  if (!isIPv6(address) || address.includes('%')) return false;
  into.set(ipBytes(address), at);
  return true;
}

function writeIPv4(
  into: Buffer,
  at: number,
  { text, start, end }: { readonly text: string; readonly start: number; readonly end: number },
): boolean {
  let octet = 0;
  let [digits, octets] = [0, 0];
  for (let index = start; index <= end; index++) {
    const digit = index === end ? DOT - ZERO : text.charCodeAt(index) - ZERO;
    if (digit === DOT - ZERO) {
      if (digits === 0 || octet > 255 || octets === 4) return false;
      into[at + octets++] = octet;
      [octet, digits] = [0, 0];
    } else if (digit < 0 || digit > 9 || ++digits > 3) return false;
    else octet = octet * 10 + digit;
  }
  return octets === 4;
}

/** The number behind the slash of a prefix; NaN when it is none. */
export function prefixLength(prefix: string, at: number): number {
  const digits = prefix.slice(at);
  return /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN;
}
