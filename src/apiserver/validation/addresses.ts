import { canonicalAddress, type IPAddress, parseAddress, printAddress } from '../../ipam/address.ts';
import { parseOptionalCIDR } from '../../ipam/cidr.ts';
import type { FieldCause } from '../schema/contract.ts';
import { invalid } from './field-errors.ts';

const withoutLeadingZeros = (text: string): string => text.replaceAll(/(^|[.:/])0+(?=\d)/g, '$1');
const mapped = ({ family, value }: IPAddress): boolean => family === 'IPv6' && value >> 32n === 0xffffn;

/** An address as Go's old parser reads it: leading zeros in IPv4 are ignored. */
function parseSloppy(text: string): IPAddress | undefined {
  return parseAddress(text) ?? (text.includes(':') ? undefined : parseAddress(withoutLeadingZeros(text)));
}

/** An address in a field that is older than strict parsing: no leading zeros, not IPv4-mapped, any spelling of IPv6. */
export function validateAddress(value: string, path: string, known: readonly string[] = []): FieldCause[] {
  if (known.includes(value)) return [];
  const address = parseSloppy(value);
  if (!address) return [invalid(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];
  if (parseAddress(value) === undefined) return [invalid(path, value, 'must not have leading 0s')];
  return mapped(address) ? [invalid(path, value, 'must not be an IPv4-mapped IPv6 address')] : [];
}

/** An address that must be in canonical form. */
export function validateCanonicalAddress(value: string, path: string): FieldCause[] {
  const causes = validateAddress(value, path);
  const canonical = canonicalAddress(value);
  if (causes.length > 0 || canonical === value) return causes;
  return [invalid(path, value, `must be in canonical form (${JSON.stringify(canonical)})`)];
}

/** Loopback addresses that are endpoints all the same: some clusters have no others. */
export type AdmitsLoopback = (address: string) => boolean;

/** An address at which an endpoint can be: not unspecified, loopback (but for what is admitted) or link-local. */
export function validateEndpointAddress(value: string, path: string, admits: AdmitsLoopback | undefined): FieldCause[] {
  const address = parseSloppy(value);
  if (!address) return [invalid(path, value, 'must be a valid IP address')];
  const number = mapped(address) ? address.value & 0xffffffffn : address.value;
  const v4 = address.family === 'IPv4' || mapped(address);
  const among = (first: bigint, bits: bigint): boolean => number >> ((v4 ? 32n : 128n) - bits) === first;
  const causes: FieldCause[] = [];
  if (number === 0n) causes.push(invalid(path, value, `may not be unspecified (${value})`));
  if ((v4 ? among(127n, 8n) : number === 1n) && !admits?.(value)) {
    causes.push(invalid(path, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  if (v4 ? among(0xa9fen, 16n) : among(0xfe80n >> 6n, 10n)) {
    causes.push(invalid(path, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (v4 ? among(0xe00000n, 24n) : among(0xff02n, 16n)) {
    causes.push(invalid(path, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return causes;
}

/** A block in a field that is older than strict parsing. */
export function validateBlock(value: string, path: string, known: readonly string[] = []): FieldCause[] {
  if (known.includes(value)) return [];
  const cidr = parseOptionalCIDR(value);
  if (!cidr) {
    const sloppy = parseOptionalCIDR(withoutLeadingZeros(value));
    const detail = sloppy
      ? 'must not have leading 0s in IP or prefix length'
      : 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
    return [invalid(path, value, detail)];
  }
  if (mapped({ family: cidr.family, value: cidr.address })) {
    return [invalid(path, value, 'must not have an IPv4-mapped IPv6 address')];
  }
  if (cidr.address === cidr.first) return [];
  return [invalid(path, value, 'must not have bits set beyond the prefix length')];
}

/** Warnings for spellings that are accepted but not canonical. */
export function addressWarnings(value: string, path: string): string[] {
  const address = parseAddress(value);
  const canonical = address && printAddress(address);
  if (address?.family !== 'IPv6' || canonical === value) return [];
  return [
    `${path}: IPv6 address ${JSON.stringify(value)} should be in RFC 5952 canonical format (${JSON.stringify(canonical)})`,
  ];
}

/** True when Go's old parser reads the text as an address. */
export function looksLikeAddress(text: string): boolean {
  return parseSloppy(text) !== undefined;
}
