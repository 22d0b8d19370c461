import { isIPv4, isIPv6 } from 'node:net';
import type { Family } from './runner.ts';

/** An IP prefix: `bits` holds the network address (host bits zero) as an unsigned integer of 32 or 128 bits. */
export interface Prefix {
  readonly family: Family;
  readonly bits: bigint;
  readonly length: number;
}

const width = (family: Family): number => (family === 'ipv4' ? 32 : 128);

/** The family of an address, or undefined when it is none. IPv4 octets may have leading zeros, as Kubernetes tolerates. */
export function familyOf(address: string): Family | undefined {
  if (isIPv4(address)) return 'ipv4';
  if (address.includes(':')) return isIPv6(address) && !address.includes('%') ? familyOfColons(address) : undefined;
  return isSloppyIPv4(address) ? 'ipv4' : undefined;
}

/** The address in its one canonical text (RFC 5952; leading zeros and IPv4-mapped forms resolved), or undefined. */
export function canonicalAddress(address: string): string | undefined {
  if (isIPv4(address)) return address;
  const family = familyOf(address);
  if (family === undefined) return undefined;
  return printAddress(family, addressBits(address));
}

/** The address as an unsigned integer of 32 or 128 bits. Throws RangeError when `address` is none. */
export function addressBits(address: string): bigint {
  if (!address.includes(':')) {
    if (!isSloppyIPv4(address)) throw new RangeError(`not an IP address: ${address}`);
    return address.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(Number(octet)), 0n);
  }
  if (!isIPv6(address)) throw new RangeError(`not an IP address: ${address}`);
  const bits = rawBits(address);
  return isMapped(bits) ? bits & 0xffffffffn : bits;
}

/** Canonical text of an address given as an integer. */
export function printAddress(family: Family, bits: bigint): string {
  if (family === 'ipv4') return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => Number((bits >> BigInt(112 - index * 16)) & 0xffffn));
  const gap = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (gap.length < 2) return text(groups);
  return `${text(groups.slice(0, gap.start))}::${text(groups.slice(gap.start + gap.length))}`;
}

/** Reads `address/length` (or a bare address as a host prefix); host bits are cleared. Undefined when it is no prefix. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const family = familyOf(address);
  if (family === undefined) return undefined;
  const lengthText = slash === -1 ? String(width(family)) : text.slice(slash + 1);
  const length = Number(lengthText);
  if (!/^\d{1,3}$/.test(lengthText) || length > width(family)) return undefined;
  const hostBits = BigInt(width(family) - length);
  return { family, length, bits: (addressBits(address) >> hostBits) << hostBits };
}

/** `address/length` in canonical text. */
export function printPrefix(prefix: Prefix): string {
  return `${printAddress(prefix.family, prefix.bits)}/${prefix.length}`;
}

/** True when the address (any spelling) lies in the prefix; false for the other family. */
export function prefixContains(prefix: Prefix, address: string): boolean {
  if (familyOf(address) !== prefix.family) return false;
  const hostBits = BigInt(width(prefix.family) - prefix.length);
  return addressBits(address) >> hostBits === prefix.bits >> hostBits;
}

/** True when the prefixes have an address in common. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  const hostBits = BigInt(width(a.family) - Math.min(a.length, b.length));
  return a.family === b.family && a.bits >> hostBits === b.bits >> hostBits;
}

/** `ip:port`, with brackets around IPv6. */
export function joinHostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function isSloppyIPv4(address: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(address) && address.split('.').every((octet) => Number(octet) <= 255);
}

// ::ffff:a.b.c.d is the IPv4 address a.b.c.d, in whatever spelling.
const isMapped = (bits: bigint): boolean => bits >> 32n === 0xffffn;

function familyOfColons(address: string): Family {
  const mapped = /ffff/i.test(address) && isMapped(rawBits(address));
  return mapped ? 'ipv4' : 'ipv6';
}

function rawBits(address: string): bigint {
  return groupsOf(address).reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

function groupsOf(address: string): number[] {
  const lastColon = address.lastIndexOf(':');
  const tail = address.slice(lastColon + 1);
  let text = address;
  if (tail.includes('.')) {
    const bits = addressBits(tail);
    text = `${address.slice(0, lastColon + 1)}${(bits >> 16n).toString(16)}:${(bits & 0xffffn).toString(16)}`;
  }
  const [head = '', rest] = text.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const left = parse(head);
  if (rest === undefined) return left;
  const right = parse(rest);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
    start += length;
  }
  return best;
}
