import { TowtankError } from '../../errors/towtank-error.ts';
import type { Element, Verdict } from '../../netfilter/nftables/rule.ts';
import type { DataType, SetDeclaration } from '../../netfilter/nftables/table.ts';
import { prefixBytes } from '../ffi/ip-bytes.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import * as nf from './constants.ts';
import { encodeValue, lengthOf, numberOf, writeFields } from './encode-value.ts';
import { writeComment } from './user-data.ts';

/** How the kernel holds the elements of a set. */
export type SetShape = Pick<SetDeclaration, 'key' | 'data' | 'flags'>;

/** The key of an entry: bytes, a number in network order, or the fields of the element's own key. */
type EntryKey = Buffer | number | 'fields';

/** Writes one element: an interval takes two entries, its first value and the one behind its last. */
export function writeElement(w: MessageWriter, element: Element, shape: SetShape): void {
  if (!shape.flags.includes('interval')) writeEntry(w, 'fields', element, shape);
  else {
    const { first, behind } = boundsOf(element.key, shape);
    writeEntry(w, first, element, shape);
    if (behind !== undefined) writeEnd(w, behind);
  }
}

function writeEntry(w: MessageWriter, key: EntryKey, element: Element, shape: SetShape): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_LIST_ELEM);
  const keyStart = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_KEY);
  if (key === 'fields') writeFieldsAttribute(w, element.key, shape.key);
  else writeBound(w, key);
  w.closeNest(keyStart);
  if (element.expiresSeconds !== undefined) writeExpiration(w, element.expiresSeconds);
  if (shape.data !== undefined && element.value !== undefined) writeValue(w, element.value, shape.data);
  writeComment(w, nf.NFTA_SET_ELEM_USERDATA, element.comment);
  w.closeNest(start);
}

function writeEnd(w: MessageWriter, key: Buffer | number): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_LIST_ELEM);
  w.attributeU32Network(nf.NFTA_SET_ELEM_FLAGS, nf.NFT_SET_ELEM_INTERVAL_END);
  const keyStart = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_KEY);
  writeBound(w, key);
  w.closeNest(keyStart);
  w.closeNest(start);
}

function writeBound(w: MessageWriter, key: Buffer | number): void {
  if (typeof key === 'number') w.attributeU32Network(nf.NFTA_DATA_VALUE, key);
  else w.attribute(nf.NFTA_DATA_VALUE, key);
}

// Hundreds of elements change at once: their fields are written where they go, without buffers of their own.
function writeFieldsAttribute(w: MessageWriter, text: string, types: SetShape['key']): void {
  w.attributeOf(nf.NFTA_DATA_VALUE, lengthOf(types), (out, at) => writeFields(text, types, { out, at }));
}

function writeExpiration(w: MessageWriter, seconds: number): void {
  const milliseconds = Buffer.alloc(8);
  milliseconds.writeBigUInt64BE(BigInt(Math.ceil(seconds * 1000)));
  w.attribute(nf.NFTA_SET_ELEM_EXPIRATION, milliseconds);
}

function writeValue(w: MessageWriter, value: string | Verdict, types: NonNullable<SetShape['data']>): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_DATA);
  if (typeof value !== 'string') writeVerdict(w, value);
  else if (types !== 'verdict') writeFieldsAttribute(w, value, types);
  else throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `'${value}' is no verdict` });
  w.closeNest(start);
}

const verdictCodes: Readonly<Record<Verdict['kind'], number>> = {
  drop: 0,
  accept: 1,
  jump: nf.NFT_JUMP,
  goto: nf.NFT_GOTO,
  return: nf.NFT_RETURN,
};

/** Writes a verdict as data. */
export function writeVerdict(w: MessageWriter, verdict: Verdict): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_DATA_VERDICT);
  w.attributeU32Network(nf.NFTA_VERDICT_CODE, verdictCodes[verdict.kind]);
  if ('chain' in verdict) w.attributeString(nf.NFTA_VERDICT_CHAIN, verdict.chain);
  w.closeNest(start);
}

/** Bounds of an interval in network order; nothing is behind the last value that there is. */
interface Bounds {
  readonly first: Buffer | number;
  readonly behind: Buffer | number | undefined;
}

// Only sets of one field hold intervals.
function boundsOf(text: string, { key }: SetShape): Bounds {
  const [type] = key;
  if (type === undefined || key.length > 1) {
    throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `interval '${text}' of several fields` });
  }
  if (type === 'number' || type === 'mark') return numberBounds(text, type);
  const { first, last } = text.includes('/') ? prefixBounds(text) : valueBounds(text, type);
  return { first, behind: successor(last) };
}

const largestNumber = 0xffffffff;

function numberBounds(text: string, type: 'number' | 'mark'): Bounds {
  const dash = text.indexOf('-');
  const first = numberOf(dash === -1 ? text : text.slice(0, dash), largestNumber, type);
  const last = dash === -1 ? first : numberOf(text.slice(dash + 1), largestNumber, type);
  return { first, behind: last === largestNumber ? undefined : last + 1 };
}

function valueBounds(text: string, type: DataType): { readonly first: Buffer; readonly last: Buffer } {
  const [first = '', last = first] = text.split('-');
  return { first: encodeValue(first, type), last: encodeValue(last, type) };
}

function prefixBounds(text: string): { readonly first: Buffer; readonly last: Buffer } {
  const { bytes, length } = prefixBytes(text);
  const first = Buffer.from(bytes);
  const last = Buffer.from(bytes);
  for (const index of bytes.keys()) {
    const free = Math.min(8, Math.max(0, (index + 1) * 8 - length));
    const mask = (1 << free) - 1;
    first[index] = (bytes[index] ?? 0) & ~mask;
    last[index] = (bytes[index] ?? 0) | mask;
  }
  return { first, last };
}

// The value behind the last one there is does not exist: the interval is open.
function successor(value: Buffer): Buffer | undefined {
  const out = Buffer.from(value);
  for (let index = out.length - 1; index >= 0; index--) {
    out[index] = ((out[index] ?? 0) + 1) & 0xff;
    if (out[index] !== 0) return out;
  }
  return undefined;
}
