import { TowtankError } from '../../errors/towtank-error.ts';
import type { Field, Statement } from '../../netfilter/nftables/rule.ts';
import type { DataType } from '../../netfilter/nftables/table.ts';
import { prefixBytes } from '../ffi/ip-bytes.ts';
import * as nf from './constants.ts';
import type { SetShape } from './encode-elements.ts';
import { encodeValue, littleEndian } from './encode-value.ts';
import type { ExpressionWriter } from './expression-writer.ts';
import { addressTypes, conntrackBits, loadFields, loadOf } from './load-field.ts';

type Match = Extract<Statement, { readonly kind: 'match' }>;

const register = nf.NFT_REG32_00;

/** A match of a single field with a single value: nft makes a comparison of it; everything else is a set. */
export function isComparison({ fields, in: lookup }: Match): boolean {
  if ('name' in lookup) return false;
  const type = fields.length === 1 ? loadOf(fields[0]!).type : undefined;
  return type === 'bits' || (fields.length === 1 && lookup.elements.length === 1);
}

/** The shape of the anonymous set behind a match. */
export function matchShape({ fields, in: lookup }: Match): SetShape {
  const elements = 'elements' in lookup ? lookup.elements : [];
  const hasIntervals = elements.some(({ key }) => /[/-]/.test(key) && loadOf(fields[0]!).type !== 'ifname');
  return { key: fields.map(dataTypeOf), flags: hasIntervals ? ['interval'] : [] };
}

/** Type of a field as set declarations know it. Throws ERR_PARSE_RULES for fields that no set of ours holds. */
export function dataTypeOf(field: Field): DataType {
  const { type } = loadOf(field);
  if (type === 'bits' || type === 'address-type') {
    throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `'${field}' cannot be looked up in a set` });
  }
  return type;
}

/** Writes a match against a set. */
export function writeSetMatch(e: ExpressionWriter, match: Match, set: { name: string; id: number | undefined }): void {
  requireProtocol(e, match.fields);
  loadFields(e, match.fields, register);
  e.lookup({ set: set.name, id: set.id, key: register, inverted: match.not ?? false });
}

/** Writes a match that `isComparison`. */
export function writeComparison(e: ExpressionWriter, { fields, in: lookup, not = false }: Match): void {
  const [field] = fields;
  const values = 'elements' in lookup ? lookup.elements.map(({ key }) => key) : [];
  const [value = ''] = values;
  if (field === undefined) return;
  requireProtocol(e, fields);
  const { type, load } = loadOf(field);
  const operation = not ? 1 : 0;
  if (type === 'bits') {
    load(e, register);
    e.testBits(register, bitsOf(values), not ? 'none' : 'any');
  } else if (type === 'address-type') {
    load(e, register);
    e.compare(register, operation, littleEndian(numberOf(addressTypes, value)));
  } else if (value.includes('/')) {
    writePrefix(e, field, { prefix: value, operation });
  } else {
    load(e, register);
    e.compare(register, operation, type === 'ifname' ? nameBytes(value) : encodeValue(value, type));
  }
}

function bitsOf(words: readonly string[]): number {
  return words.reduce((bits, word) => bits | numberOf(conntrackBits, word), 0);
}

function numberOf(table: Readonly<Record<string, number>>, word: string): number {
  const number = table[word];
  if (number === undefined) throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `unknown value '${word}'` });
  return number;
}

// `veth*` compares the beginning only; a whole name is compared with the zeros behind it.
function nameBytes(name: string): Buffer {
  return name.endsWith('*') ? Buffer.from(name.slice(0, -1)) : encodeValue(name, 'ifname');
}

const addressOffsets: Readonly<Partial<Record<Field, number>>> = {
  'ip saddr': 12,
  'ip daddr': 16,
  'ip6 saddr': 8,
  'ip6 daddr': 24,
};

// As nft does: prefixes of whole bytes compare those bytes, others mask the address.
function writePrefix(
  e: ExpressionWriter,
  field: Field,
  { prefix, operation }: { readonly prefix: string; readonly operation: 0 | 1 },
): void {
  const offset = addressOffsets[field];
  if (offset === undefined) throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `${field} has no prefixes` });
  const { bytes, length } = prefixBytes(prefix);
  const whole = length / 8;
  if (length > 0 && Number.isInteger(whole)) {
    e.payload({ base: 1, offset, length: whole }, register);
    e.compare(register, operation, bytes.subarray(0, whole));
    return;
  }
  const mask = Buffer.from(bytes.map((_, index) => 0xff00 >> Math.min(8, Math.max(0, length - index * 8))));
  e.payload({ base: 1, offset, length: bytes.length }, register);
  e.bitwise(register, mask, Buffer.alloc(bytes.length));
  e.compare(register, operation, Buffer.from(bytes.map((byte, index) => byte & (mask[index] ?? 0))));
}

function requireProtocol(e: ExpressionWriter, fields: readonly Field[]): void {
  for (const field of fields) {
    const [protocol = ''] = field.split(' ');
    if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') continue;
    e.meta(16, register);
    e.compare(register, 0, encodeValue(protocol, 'inet_proto'));
  }
}
