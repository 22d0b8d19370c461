import type { SetDeclaration } from '../../netfilter/nftables/table.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';

// What the kernel keeps for the nft program without looking at it: type, length, value in single bytes.
type Item = readonly [type: number, value: Uint8Array];

function pack(items: readonly Item[]): Buffer {
  return Buffer.concat(items.map(([type, value]) => Buffer.concat([Buffer.from([type, value.length]), value])));
}

const u32 = (value: number): Buffer => Buffer.from([value & 0xff, value >> 8, 0, 0]);
const text = (value: string): Buffer => Buffer.from(`${value}\0`);

/** Writes the comment of a table, chain, rule or element (all have user data type 0 for it), or nothing. */
export function writeComment(w: MessageWriter, attribute: number, comment: string | undefined): void {
  if (comment !== undefined) w.attribute(attribute, pack([[0, text(comment)]]));
}

const keyByteOrder = 0;
const dataByteOrder = 1;
const keyTypeof = 3;
const dataTypeof = 4;
const dataInterval = 6;
const comment = 7;

/** What nft wants to know of a set when it lists it: byte orders, the expression that a type is taken from, the comment. */
export function setUserData(set: SetDeclaration): Buffer {
  const items: Item[] = [[keyByteOrder, u32(byteOrder(set))]];
  if (set.data !== undefined) items.push([dataByteOrder, u32(0)]);
  if (set.key[0] === 'number') {
    items.push([keyTypeof, numberGenerator()]);
    items.push([dataTypeof, addressAndPort(set.data?.[0] === 'ipv6_addr')]);
  }
  if (set.data !== undefined) items.push([dataInterval, u32(0)]);
  if (set.comment !== undefined) items.push([comment, text(set.comment)]);
  return pack(items);
}

// 0: none (several fields), 1: the host's, 2: network order.
function byteOrder({ key }: SetDeclaration): number {
  if (key.length !== 1) return 0;
  return key[0] === 'number' || key[0] === 'mark' || key[0] === 'ifname' ? 1 : 2;
}

// Expressions in nft's own numbering: number generator 23 (random, mod 2, offset 0).
function numberGenerator(): Buffer {
  return expression(23, [
    [0, u32(1)],
    [1, u32(2)],
    [2, u32(0)],
  ]);
}

// Concatenation 13 of two header fields 7: `ip daddr . th dport` or `ip6 daddr . th dport`.
function addressAndPort(isV6: boolean): Buffer {
  const address = isV6 ? header(13, 9) : header(12, 12);
  return expression(13, [
    [0, address],
    [1, header(11, 2)],
  ]);
}

function header(protocol: number, field: number): Buffer {
  return expression(7, [
    [0, u32(protocol)],
    [1, u32(field)],
  ]);
}

function expression(kind: number, fields: readonly Item[]): Buffer {
  return pack([
    [0, u32(kind)],
    [1, pack(fields)],
  ]);
}
