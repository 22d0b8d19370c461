import { isIPv4, isIPv6 } from 'node:net';
import { TowtankError } from '../../errors/towtank-error.ts';

/** A literal IP address as 4 or 16 bytes in network order. Throws ERR_INVALID_ADDRESS for anything else (host names too). */
export function ipBytes(address: string): Buffer {
  if (isIPv4(address)) return ipv4Bytes(address);
  if (isIPv6(address)) return ipv6Bytes(address);
  throw new TowtankError({ code: 'ERR_INVALID_ADDRESS', message: `'${address}' is not a literal IP address` });
}

/** An address with prefix length such as `10.244.1.0/24`; without a length it means one host (/32, /128). */
export function prefixBytes(prefix: string): { readonly bytes: Buffer; readonly length: number } {
  const slash = prefix.indexOf('/');
  const bytes = ipBytes(slash === -1 ? prefix : prefix.slice(0, slash));
  const bits = bytes.length * 8;
  if (slash === -1) return { bytes, length: bits };
  const digits = prefix.slice(slash + 1);
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > bits) {
    throw new TowtankError({
      code: 'ERR_INVALID_ADDRESS',
      message: `'${prefix}' has no prefix length of 0 to ${bits}`,
    });
  }
  return { bytes, length };
}

/** A part of a text. */
export interface TextRange {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes an IPv4 address of four decimal numbers in network order; false when the text is none. A full sync reads a hundred
 * thousand of them: no parts of the text are made.
 */
export function writeIPv4(into: Buffer, at: number, { text, start, end }: TextRange): boolean {
  let octet = -1;
  let octets = 0;
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code === 46 && octet >= 0 && octets < 3) {
      into[at + octets++] = octet;
      octet = -1;
    } else if (code >= 48 && code <= 57 && octet !== 0) {
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) return false;
    } else return false;
  }
  if (octets !== 3 || octet < 0) return false;
  into[at + 3] = octet;
  return true;
}

/** A MAC address as 6 bytes. Throws ERR_INVALID_ADDRESS. */
export function macBytes(mac: string): Buffer {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(mac)) {
    throw new TowtankError({ code: 'ERR_INVALID_ADDRESS', message: `'${mac}' is not a MAC address` });
  }
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** `10.0.0.1/24` without its prefix length. */
export function withoutPrefixLength(prefix: string): string {
  const slash = prefix.indexOf('/');
  return slash === -1 ? prefix : prefix.slice(0, slash);
}

/** Prints 4 or 16 bytes as an address, IPv6 in the form of RFC 5952. */
export function printIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const zone = address.indexOf('%');
  let text = zone === -1 ? address : address.slice(0, zone);
  const dotted = text.lastIndexOf('.') === -1 ? -1 : text.lastIndexOf(':') + 1;
  if (dotted !== -1) {
    const v4 = ipv4Bytes(text.slice(dotted));
    text = `${text.slice(0, dotted)}${v4.readUInt16BE(0).toString(16)}:${v4.readUInt16BE(2).toString(16)}`;
  }
  const [left = '', right] = text.split('::');
  const bytes = Buffer.alloc(16);
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  for (const [i, group] of head.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  for (const [i, group] of tail.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), (8 - tail.length + i) * 2);
  return bytes;
}
