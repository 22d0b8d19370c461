import { TowtankError } from '../../errors/towtank-error.ts';
import type { Element, Verdict } from '../../netfilter/nftables/rule.ts';
import type { SetDeclaration } from '../../netfilter/nftables/table.ts';
import { prefixBytes } from '../ffi/ip-bytes.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import * as nf from './constants.ts';
import { encodeFields, encodeValue } from './encode-value.ts';
import { writeComment } from './user-data.ts';

/** How the kernel holds the elements of a set. */
export type SetShape = Pick<SetDeclaration, 'key' | 'data' | 'flags'>;

/** An element or a bound of an interval, as the kernel holds it. */
interface KernelElement {
  readonly key: Buffer;
  readonly isEnd: boolean;
  readonly element: Element;
}

/** Writes one element: an interval takes two entries, its first value and the one behind its last. */
export function writeElement(w: MessageWriter, element: Element, shape: SetShape): void {
  for (const entry of entriesOf(element, shape)) writeEntry(w, entry, shape);
}

function writeEntry(w: MessageWriter, { key, isEnd, element }: KernelElement, shape: SetShape): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_LIST_ELEM);
  if (isEnd) w.attributeU32Network(nf.NFTA_SET_ELEM_FLAGS, nf.NFT_SET_ELEM_INTERVAL_END);
  const keyStart = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_KEY);
  w.attribute(nf.NFTA_DATA_VALUE, key);
  w.closeNest(keyStart);
  if (!isEnd) {
    if (element.expiresSeconds !== undefined) writeExpiration(w, element.expiresSeconds);
    if (shape.data !== undefined && element.value !== undefined) writeValue(w, element.value, shape.data);
    writeComment(w, nf.NFTA_SET_ELEM_USERDATA, element.comment);
  }
  w.closeNest(start);
}

function writeExpiration(w: MessageWriter, seconds: number): void {
  const milliseconds = Buffer.alloc(8);
  milliseconds.writeBigUInt64BE(BigInt(Math.ceil(seconds * 1000)));
  w.attribute(nf.NFTA_SET_ELEM_EXPIRATION, milliseconds);
}

function writeValue(w: MessageWriter, value: string | Verdict, types: NonNullable<SetShape['data']>): void {
  const start = w.openNest(nf.NLA_F_NESTED | nf.NFTA_SET_ELEM_DATA);
  if (typeof value !== 'string') writeVerdict(w, value);
  else if (types !== 'verdict') w.attribute(nf.NFTA_DATA_VALUE, encodeFields(value, types));
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

function entriesOf(element: Element, shape: SetShape): readonly KernelElement[] {
  if (!shape.flags.includes('interval')) {
    return [{ key: encodeFields(element.key, shape.key), isEnd: false, element }];
  }
  const { first, last } = boundsOf(element.key, shape);
  const begin = { key: first, isEnd: false, element };
  const behind = successor(last);
  return behind === undefined ? [begin] : [begin, { key: behind, isEnd: true, element }];
}

/** First and last value of an interval, in network order. Only sets of one field hold intervals. */
function boundsOf(text: string, { key: [type, ...more] }: SetShape): { readonly first: Buffer; readonly last: Buffer } {
  if (type === undefined || more.length > 0) {
    throw new TowtankError({ code: 'ERR_PARSE_RULES', message: `interval '${text}' of several fields` });
  }
  if (text.includes('/')) return prefixBounds(text);
  const [first = '', last = first] = text.split('-');
  const encode = (value: string): Buffer =>
    type === 'number' || type === 'mark' ? encodeValue(value, type).reverse() : encodeValue(value, type);
  return { first: encode(first), last: encode(last) };
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
