import { TowtankError } from '../../errors/towtank-error.ts';
import type { DataType } from '../../netfilter/nftables/table.ts';
import { ipBytes } from '../ffi/ip-bytes.ts';

/** Number of a data type in the kernel's set declarations, and how many bytes a value takes, padded to registers. */
export interface ValueFormat {
  readonly id: number;
  /** Without padding. */
  readonly bytes: number;
  readonly isBigEndian: boolean;
}

const formats: Readonly<Record<Exclude<DataType, 'other'>, ValueFormat>> = {
  ipv4_addr: { id: 7, bytes: 4, isBigEndian: true },
  ipv6_addr: { id: 8, bytes: 16, isBigEndian: true },
  inet_proto: { id: 12, bytes: 1, isBigEndian: true },
  inet_service: { id: 13, bytes: 2, isBigEndian: true },
  mark: { id: 19, bytes: 4, isBigEndian: false },
  ifname: { id: 41, bytes: 16, isBigEndian: false },
  number: { id: 4, bytes: 4, isBigEndian: false },
};

/** Format of a data type. Throws ERR_PARSE_RULES for types of foreign sets. */
export function formatOf(type: DataType): ValueFormat {
  if (type === 'other') throw invalid('data type', type);
  return formats[type];
}

/** Bytes of all fields together, each padded to 4; a single field is not padded. */
export function lengthOf(types: readonly DataType[]): number {
  if (types.length === 1) return formatOf(types[0]!).bytes;
  return types.reduce((sum, type) => sum + padded(formatOf(type).bytes), 0);
}

/** The kernel's number for several fields joined: six bits for each. */
export function typeIdOf(types: readonly DataType[]): number {
  return types.reduce((id, type) => (id << 6) | formatOf(type).id, 0);
}

export const padded = (bytes: number): number => (bytes + 3) & ~3;

const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, 'ipv6-icmp': 58 };

/** The bytes of fields joined by ` . `. Throws ERR_PARSE_RULES when a field is not of its type. */
export function encodeFields(text: string, types: readonly DataType[]): Buffer {
  if (types.length === 1) return encodeValue(text, types[0]!);
  const parts = text.split(' . ');
  if (parts.length !== types.length) throw invalid(types.join(' . '), text);
  const out = Buffer.alloc(lengthOf(types));
  let at = 0;
  for (const [index, type] of types.entries()) {
    const bytes = encodeValue(parts[index] ?? '', type);
    out.set(bytes, at);
    at += padded(bytes.length);
  }
  return out;
}

/** The bytes of one field. Numbers are in the host's order. Throws ERR_PARSE_RULES when it is not of its type. */
export function encodeValue(text: string, type: DataType): Buffer {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr':
      return encodeAddress(text, formats[type].bytes);
    case 'inet_proto':
      return encodeProtocol(text);
    case 'inet_service': {
      const port = encodeNumber(text, 0xffff, type);
      return Buffer.from([port >> 8, port & 0xff]);
    }
    case 'mark':
    case 'number':
      return littleEndian(encodeNumber(text, 0xffffffff, type));
    case 'ifname':
      return encodeName(text);
    case 'other':
      throw invalid('value', text);
  }
}

/** A 32-bit number in the order of this (little endian) host. */
export function littleEndian(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

function encodeAddress(text: string, bytes: number): Buffer {
  const address = ipBytes(text);
  if (address.length !== bytes) throw invalid(bytes === 4 ? 'ipv4_addr' : 'ipv6_addr', text);
  return address;
}

function encodeProtocol(text: string): Buffer {
  return Buffer.from([protocols[text] ?? encodeNumber(text, 255, 'inet_proto')]);
}

function encodeNumber(text: string, maximum: number, type: DataType): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > maximum) throw invalid(type, text);
  return value;
}

function encodeName(text: string): Buffer {
  const out = Buffer.alloc(16);
  if (Buffer.byteLength(text) > 15 || text === '') throw invalid('ifname', text);
  out.write(text);
  return out;
}

function invalid(type: string, text: string): TowtankError {
  return new TowtankError({ code: 'ERR_PARSE_RULES', message: `'${text}' is no ${type}` });
}
