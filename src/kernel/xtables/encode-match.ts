import type { Match } from '../../netfilter/iptables/rule.ts';
import { EXTENSION_HEADER_BYTES, extensionTemplate } from './entry-layout.ts';

/** A match that stands behind the rule's header. */
export type ExtensionMatch = Exclude<
  Match,
  { readonly kind: 'source' | 'destination' | 'in-interface' | 'out-interface' | 'protocol' }
>;

// Revisions as iptables 1.8 writes them. What these kinds do not hold is written by the program.
const COMMENT = extensionTemplate('comment', 0, 256);
const TCP = extensionTemplate('tcp', 0, 12);
const UDP = extensionTemplate('udp', 0, 10);
const SCTP = extensionTemplate('sctp', 0, 292);
const MARK = extensionTemplate('mark', 1, 12);
const CONNTRACK = extensionTemplate('conntrack', 3, 164);
const ADDRTYPE = extensionTemplate('addrtype', 1, 8);
const STATISTIC = extensionTemplate('statistic', 0, 24);
const RECENT = extensionTemplate('recent', 1, 228);
const PHYSDEV = extensionTemplate('physdev', 0, 66);

const LONGEST_COMMENT = 255;
const LONGEST_LIST_NAME = 199;
const RECENT_SET = 2;
const RECENT_CHECK = 1;
const RECENT_REAP = 32;
const PHYSDEV_IS_IN = 8;
const CONNTRACK_STATE = 1;
const ADDRTYPE_INVERT = { source: 1, destination: 2 } as const;

const STATE_BITS: Readonly<Record<string, number>> = {
  INVALID: 1,
  ESTABLISHED: 2,
  RELATED: 4,
  NEW: 8,
  SNAT: 64,
  DNAT: 128,
};

const ADDRESS_TYPE_BITS = { UNICAST: 2, LOCAL: 4, BROADCAST: 8, MULTICAST: 32 } as const;

/**
 * Writes a match at `at`, where `into` is zero, and returns where it ends; undefined when it is of a kind or has values that
 * only the program knows to write or to refuse.
 */
export function encodeMatch(into: Buffer, at: number, match: ExtensionMatch): number | undefined {
  switch (match.kind) {
    case 'comment':
      return encodeComment(into, at, match.text);
    case 'ports':
      return encodePorts(into, at, match);
    case 'mark':
      return encodeMark(into, at, match);
    case 'conntrack-state':
      return encodeStates(into, at, match);
    case 'address-type':
      return encodeAddressType(into, at, match);
    case 'statistic-random':
      return encodeProbability(into, at, Number(match.probability));
    case 'statistic-nth':
      return encodeNth(into, at, match);
    case 'recent':
      return encodeRecent(into, at, match);
    case 'physdev-is-in':
      return encodePhysdev(into, at, match.not === true);
    default:
      return undefined;
  }
}

type Of<Kind extends Match['kind']> = Extract<Match, { readonly kind: Kind }>;

function begin(into: Buffer, at: number, template: Buffer): number {
  into.set(template, at);
  return at + EXTENSION_HEADER_BYTES;
}

function encodeComment(into: Buffer, at: number, text: string): number | undefined {
  // A character has at most three bytes for each of its units.
  if (text.length * 3 > LONGEST_COMMENT && Buffer.byteLength(text) > LONGEST_COMMENT) return undefined;
  into.write(text, begin(into, at, COMMENT));
  return at + COMMENT.length;
}

// What a port is when none is named.
const ANY_PORT = [0, 0xffff] as const;

function encodePorts(into: Buffer, at: number, { protocol, source, destination }: Of<'ports'>): number | undefined {
  const from = source === undefined ? ANY_PORT : parsePorts(source);
  const to = destination === undefined ? ANY_PORT : parsePorts(destination);
  if (from === undefined || to === undefined) return undefined;
  if (protocol === 'sctp')
    return encodeSctp(into, at, {
      from: source === undefined ? undefined : from,
      to: destination === undefined ? undefined : to,
    });
  const template = protocol === 'tcp' ? TCP : UDP;
  const data = begin(into, at, template);
  into.writeUInt16LE(from[0], data);
  into.writeUInt16LE(from[1], data + 2);
  into.writeUInt16LE(to[0], data + 4);
  into.writeUInt16LE(to[1], data + 6);
  return at + template.length;
}

type Ports = readonly [first: number, last: number];

// A flag tells which of the two it looks at; the program leaves the marks of no chunk behind.
function encodeSctp(
  into: Buffer,
  at: number,
  { from, to }: { readonly from: Ports | undefined; readonly to: Ports | undefined },
): number | undefined {
  const data = begin(into, at, SCTP);
  const flags = data + 284;
  for (const [side, ports] of [to, from].entries()) {
    if (ports === undefined) continue;
    into.writeUInt16LE(ports[0], data + side * 4);
    into.writeUInt16LE(ports[1], data + side * 4 + 2);
    into[flags]! |= side === 0 ? 2 : 1;
  }
  for (let info = 0; info < 4; info++) into[data + 268 + info * 3] = 0xff;
  return at + SCTP.length;
}

// `80` or `80:90`; names of ports and open ranges are the program's.
function parsePorts(text: string): Ports | undefined {
  if (!/^\d{1,5}(:\d{1,5})?$/.test(text)) return undefined;
  const colon = text.indexOf(':');
  const first = Number(colon === -1 ? text : text.slice(0, colon));
  const ports = [first, colon === -1 ? first : Number(text.slice(colon + 1))] as const;
  return ports[0] <= ports[1] && ports[1] <= 0xffff ? ports : undefined;
}

function encodeMark(into: Buffer, at: number, { value, mask, not }: Of<'mark'>): number | undefined {
  if (!isWord(value) || !isWord(mask)) return undefined;
  const data = begin(into, at, MARK);
  into.writeUInt32LE(value, data);
  into.writeUInt32LE(mask, data + 4);
  into[data + 8] = not === true ? 1 : 0;
  return at + MARK.length;
}

/** Whether a number fits 32 bits without a sign. */
export const isWord = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;

function encodeStates(into: Buffer, at: number, { states, not }: Of<'conntrack-state'>): number | undefined {
  let mask = 0;
  for (const state of states) {
    const bit = STATE_BITS[state];
    if (bit === undefined) return undefined;
    mask |= bit;
  }
  const data = begin(into, at, CONNTRACK);
  into.writeUInt16LE(CONNTRACK_STATE, data + 146);
  into.writeUInt16LE(not === true ? CONNTRACK_STATE : 0, data + 148);
  into.writeUInt16LE(mask, data + 150);
  return at + CONNTRACK.length;
}

function encodeAddressType(into: Buffer, at: number, { side, type, not }: Of<'address-type'>): number {
  const data = begin(into, at, ADDRTYPE);
  into.writeUInt16LE(ADDRESS_TYPE_BITS[type], data + (side === 'source' ? 0 : 2));
  into.writeUInt32LE(not === true ? ADDRTYPE_INVERT[side] : 0, data + 4);
  return at + ADDRTYPE.length;
}

// The kernel compares 31 random bits.
function encodeProbability(into: Buffer, at: number, probability: number): number | undefined {
  if (!(probability >= 0 && probability <= 1)) return undefined;
  const data = begin(into, at, STATISTIC);
  const threshold = Math.round(probability * 0x8000_0000);
  into.writeUInt32LE(threshold, data + 4);
  // As the program leaves it: what a counter of `nth` would start with.
  into.writeUInt32LE(threshold, data + 12);
  return at + STATISTIC.length;
}

function encodeNth(into: Buffer, at: number, { every, packet }: Of<'statistic-nth'>): number | undefined {
  if (!isWord(every) || !isWord(packet) || every === 0 || packet >= every) return undefined;
  const data = begin(into, at, STATISTIC);
  into.writeUInt16LE(1, data);
  into.writeUInt32LE(every - 1, data + 4);
  into.writeUInt32LE(packet, data + 8);
  into.writeUInt32LE(every - 1 - packet, data + 12);
  return at + STATISTIC.length;
}

const EVERY_BIT = new Set(['255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']);

function encodeRecent(
  into: Buffer,
  at: number,
  { action, list, seconds = 0, reap, mask, not }: Of<'recent'>,
): number | undefined {
  if (!isWord(seconds) || (mask !== undefined && !EVERY_BIT.has(mask)) || list.includes('/')) return undefined;
  if (Buffer.byteLength(list) > LONGEST_LIST_NAME || (reap === true && seconds === 0)) return undefined;
  const data = begin(into, at, RECENT);
  into.writeUInt32LE(seconds, data);
  into[data + 8] = (action === 'set' ? RECENT_SET : RECENT_CHECK) | (reap === true ? RECENT_REAP : 0);
  into[data + 9] = not === true ? 1 : 0;
  into.write(list, data + 10);
  into.fill(0xff, data + 212, data + 228);
  return at + RECENT.length;
}

function encodePhysdev(into: Buffer, at: number, not: boolean): number {
  const data = begin(into, at, PHYSDEV);
  into[data + 64] = not ? PHYSDEV_IS_IN : 0;
  into[data + 65] = PHYSDEV_IS_IN;
  return at + PHYSDEV.length;
}
