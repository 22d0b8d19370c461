import { UserError } from '../errors/towtank-error.ts';
import { type IPFamily, parseAddress, printAddress } from './address.ts';
import { type CIDR, parseCIDR, printCIDR } from './cidr.ts';
import { type BandedRange, type Cursor, clusterIPStaticBand, pickFree } from './pick-free.ts';

/** The addresses of a block that may be handed out to Services: neither the first, nor the last of IPv4. */
export interface AddressRange extends BandedRange {
  readonly cidr: CIDR;
  readonly family: IPFamily;
  /** The lowest address that may be handed out. */
  readonly base: bigint;
}

export interface PickAddressOptions {
  /** False when the address (canonical text) is taken. */
  readonly isFree: (address: string) => boolean;
  readonly random?: (() => number) | undefined;
  readonly cursor?: Cursor | undefined;
}

/** The range of `--service-cluster-ip-range`; throws UserError for what the real server refuses (IPv6 shorter than /64, no room). */
export function parseAddressRange(text: string): AddressRange {
  const cidr = parseCIDR(text);
  const base = cidr.first + 1n;
  const last = cidr.family === 'IPv4' ? cidr.last - 1n : cidr.last;
  const size = last - base + 1n;
  if ((cidr.family === 'IPv6' && cidr.prefixLength < 64) || size < 1n) {
    throw new UserError({
      code: 'ERR_INVALID_ADDRESS',
      message: `${text} cannot be a range of cluster IPs`,
      hint: 'an IPv4 block of at least 4 addresses (/30), or an IPv6 block between /64 and /127',
    });
  }
  return { cidr, family: cidr.family, base, size, staticBand: clusterIPStaticBand(sizeForBand(cidr)) };
}

/** Why an address may not be handed out, in the real server's words; undefined when it may. */
export function addressRangeProblem(range: AddressRange, address: string): string | undefined {
  const parsed = parseAddress(address);
  const offset = parsed?.family === range.family ? parsed.value - range.base : -1n;
  if (offset >= 0n && offset < range.size) return undefined;
  return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${printCIDR(range.cidr)}`;
}

/** A free address of the range, dynamic band first; undefined when the range is full. */
export function pickAddress(range: AddressRange, { isFree, ...order }: PickAddressOptions): string | undefined {
  const text = (offset: bigint): string => printAddress({ family: range.family, value: range.base + offset });
  const offset = pickFree(range, { ...order, isFree: (candidate) => isFree(text(candidate)) });
  return offset === undefined ? undefined : text(offset);
}

// Upstream sizes the static band by the whole block, network and broadcast address included.
function sizeForBand({ first, last }: CIDR): bigint {
  return last - first + 1n;
}
