import { isIP } from 'node:net';
import { TowtankError } from '../../errors/towtank-error.ts';
import type { DataType } from '../../netfilter/nftables/table.ts';
import { PROTOCOL_NUMBERS } from '../ffi/constants.ts';
import { ipBytes, writeIPv4 } from '../ffi/ip-bytes.ts';

/** Number of a data type in the kernel's set declarations, and how many bytes a value takes, padded to registers. */
export interface ValueFormat {
  readonly id: number;
  /** Without padding. */
  readonly bytes: number;
}

const formats: Readonly<Record<Exclude<DataType, 'other'>, ValueFormat>> = {
  ipv4_addr: { id: 7, bytes: 4 },
  ipv6_addr: { id: 8, bytes: 16 },
  inet_proto: { id: 12, bytes: 1 },
  inet_service: { id: 13, bytes: 2 },
  mark: { id: 19, bytes: 4 },
  ifname: { id: 41, bytes: 16 },
  number: { id: 4, bytes: 4 },
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

const fieldSeparator = ' . ';

/** The bytes of fields joined by ` . `. Throws ERR_PARSE_RULES when a field is not of its type. */
export function encodeFields(text: string, types: readonly DataType[]): Buffer {
  const out = Buffer.alloc(lengthOf(types));
  writeFields(text, types, { out, at: 0 });
  return out;
}

/** Writes the bytes of fields joined by ` . ` where zeros are. Throws as encodeFields. */
export function writeFields(text: string, types: readonly DataType[], { out, at }: Place): void {
  if (types.length === 1) {
    writeValue(text, types[0]!, { out, at });
    return;
  }
  let to = at;
  let from = 0;
  for (let index = 0; index < types.length; index++) {
    const type = types[index]!;
    const end = index === types.length - 1 ? text.length : text.indexOf(fieldSeparator, from);
    if (end === -1) throw invalid(types.join(fieldSeparator), text);
    writeValue(text.slice(from, end), type, { out, at: to });
    to += padded(formatOf(type).bytes);
    from = end + fieldSeparator.length;
  }
}

/** The bytes of one field. Numbers are in the host's order. Throws ERR_PARSE_RULES when it is not of its type. */
export function encodeValue(text: string, type: DataType): Buffer {
  return encodeFields(text, [type]);
}

/** An offset of a buffer. */
export interface Place {
  readonly out: Buffer;
  readonly at: number;
}

function writeValue(text: string, type: DataType, { out, at }: Place): void {
  switch (type) {
    case 'ipv4_addr':
      if (!writeIPv4(out, at, { text, start: 0, end: text.length })) throw invalid(type, text);
      break;
    case 'ipv6_addr':
      out.set(addressOf(text, 16), at);
      break;
    case 'inet_proto':
      out[at] = PROTOCOL_NUMBERS[text] ?? numberOf(text, 255, type);
      break;
    case 'inet_service':
      out.writeUInt16BE(numberOf(text, 0xffff, type), at);
      break;
    case 'mark':
    case 'number':
      out.writeUInt32LE(numberOf(text, 0xffffffff, type), at);
      break;
    case 'ifname':
      if (Buffer.byteLength(text) > 15 || text === '') throw invalid(type, text);
      out.write(text, at);
      break;
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

function addressOf(text: string, bytes: 16): Buffer {
  const address = isIP(text) === 0 || text.includes('%') ? undefined : ipBytes(text);
  if (address?.length !== bytes) throw invalid('ipv6_addr', text);
  return address;
}

/** A whole number of 0 to `maximum`. Throws ERR_PARSE_RULES for anything else. */
export function numberOf(text: string, maximum: number, type: DataType): number {
  const value = text === '' ? Number.NaN : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > maximum) throw invalid(type, text);
  return value;
}

function invalid(type: string, text: string): TowtankError {
  return new TowtankError({ code: 'ERR_PARSE_RULES', message: `'${text}' is no ${type}` });
}
