import { IPv4CidrRange, IPv6CidrRange } from 'ip-num';
import { UserError } from '../errors/towtank-error.ts';
import { type IPAddress, type IPFamily, parseAddress, printAddress } from './address.ts';

/** A block of addresses. This file is the only one that knows ip-num. */
export interface CIDR {
  readonly family: IPFamily;
  readonly prefixLength: number;
  /** The network address, host bits cleared. */
  readonly first: bigint;
  readonly last: bigint;
  /** The address as it was written: differs from `first` when host bits were set, as in `10.0.0.1/8`. */
  readonly address: bigint;
}

/** Parses `10.244.0.0/16` or `fd00::/64`; throws UserError ERR_INVALID_ADDRESS. Host bits may be set: see `address`. */
export function parseCIDR(text: string): CIDR {
  const [host = '', length = '', more] = text.split('/');
  const address = parseAddress(host);
  const bits = address?.family === 'IPv4' ? 32 : 128;
  if (address === undefined || more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) {
    throw new UserError({
      code: 'ERR_INVALID_ADDRESS',
      message: `"${text}" is not a valid CIDR`,
      hint: 'write an address, a slash and a prefix length, as in 10.244.0.0/16 or fd00:10:244::/56',
    });
  }
  const plain = `${address.family === 'IPv4' ? host : fullIPv6(address)}/${length}`;
  const range = address.family === 'IPv4' ? IPv4CidrRange.fromCidr(plain) : IPv6CidrRange.fromCidr(plain);
  return {
    family: address.family,
    prefixLength: Number(length),
    first: range.getFirst().getValue(),
    last: range.getLast().getValue(),
    address: address.value,
  };
}

/** The same, or undefined when it is none. */
export function parseOptionalCIDR(text: string): CIDR | undefined {
  try {
    return parseCIDR(text);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** The network in canonical text, host bits cleared. */
export function printCIDR({ family, first, prefixLength }: CIDR): string {
  return `${printAddress({ family, value: first })}/${prefixLength}`;
}

/** How many addresses the block has, first and last included. */
export function sizeOf({ first, last }: CIDR): bigint {
  return last - first + 1n;
}

/** True when the address, given in text or as a number, lies in the block; false for what is no address. */
export function contains(cidr: CIDR, address: string | IPAddress): boolean {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  return parsed?.family === cidr.family && parsed.value >= cidr.first && parsed.value <= cidr.last;
}

/** True when the blocks share an address. */
export function overlaps(a: CIDR, b: CIDR): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Address number `offset` of the block in text, 0 is the network address; throws UserError ERR_NOT_IN_RANGE. */
export function addressAt(cidr: CIDR, offset: bigint | number): string {
  const value = cidr.first + BigInt(offset);
  if (value < cidr.first || value > cidr.last) {
    throw new UserError({ code: 'ERR_NOT_IN_RANGE', message: `${printCIDR(cidr)} has no address number ${offset}` });
  }
  return printAddress({ family: cidr.family, value });
}

/** Every address of the block in text, in order. */
export function* addressesOf({ family, first, last }: CIDR): Generator<string> {
  for (let value = first; value <= last; value++) yield printAddress({ family, value });
}

/** How many blocks of `prefixLength` fit. */
export function subnetCount(cidr: CIDR, prefixLength: number): bigint {
  return prefixLength < cidr.prefixLength ? 0n : 1n << BigInt(prefixLength - cidr.prefixLength);
}

/** Block number `index` of `prefixLength` inside `cidr`; throws UserError ERR_RANGE_FULL when there is none. */
export function subnetAt(cidr: CIDR, prefixLength: number, index: bigint | number): CIDR {
  const bits = cidr.family === 'IPv4' ? 32 : 128;
  if (prefixLength > bits || BigInt(index) >= subnetCount(cidr, prefixLength)) {
    throw new UserError({
      code: 'ERR_RANGE_FULL',
      message: `${printCIDR(cidr)} has no block number ${index} of length /${prefixLength}`,
      hint: 'choose a larger range or a longer prefix for each block',
    });
  }
  const size = 1n << BigInt(bits - prefixLength);
  const first = cidr.first + BigInt(index) * size;
  return { family: cidr.family, prefixLength, first, last: first + size - 1n, address: first };
}

// ip-num reads neither `::` at an end with seven groups nor dotted decimal inside IPv6 in every place.
function fullIPv6({ value }: IPAddress): string {
  const hex = value.toString(16).padStart(32, '0');
  return (hex.match(/.{4}/g) ?? []).join(':');
}
