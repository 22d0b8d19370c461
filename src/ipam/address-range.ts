import { TowtankError, UserError } from '../errors/towtank-error.ts';
import { type IPFamily, parseAddress, printAddress } from './address.ts';
import { type CIDR, parseCIDR, printCIDR } from './cidr.ts';
import { type BandedRange, clusterIPStaticBand, pickFree } from './pick-free.ts';

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

/** The address as canonical text when it may be handed out; throws TowtankError ERR_NOT_IN_RANGE in the real server's words. */
export function addressInRange(range: AddressRange, address: string): string {
  const parsed = parseAddress(address);
  const offset = parsed?.family === range.family ? parsed.value - range.base : -1n;
  if (parsed === undefined || offset < 0n || offset >= range.size) {
    throw new TowtankError({
      code: 'ERR_NOT_IN_RANGE',
      message: `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${printCIDR(range.cidr)}`,
    });
  }
  return printAddress(parsed);
}

/** A free address of the range, dynamic band first. Throws TowtankError ERR_RANGE_FULL. */
export function pickAddress(range: AddressRange, { isFree, random }: PickAddressOptions): string {
  const text = (offset: bigint): string => printAddress({ family: range.family, value: range.base + offset });
  return text(pickFree(range, { random, isFree: (offset) => isFree(text(offset)) }));
}

// Upstream sizes the static band by the whole block, network and broadcast address included.
function sizeForBand({ first, last }: CIDR): bigint {
  return last - first + 1n;
}
