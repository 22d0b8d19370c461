import type { Target } from '../../netfilter/iptables/rule.ts';
import { writeAddress } from './encode-address.ts';
import { isWord } from './encode-match.ts';
import { type EntryLayout, EXTENSION_HEADER_BYTES, extensionTemplate, VERDICTS } from './entry-layout.ts';

/** A target that is an extension of its own: neither a verdict nor a jump. */
export type ExtensionTarget = Exclude<
  Target,
  { readonly kind: 'accept' | 'drop' | 'return' | 'jump' | 'goto' | 'other' }
>;

// Revisions as iptables 1.8 writes them.
const STANDARD = extensionTemplate('', 0, 4);
const MARK = extensionTemplate('MARK', 2, 8);
const REJECT = extensionTemplate('REJECT', 0, 4);
const DNAT = extensionTemplate('DNAT', 2, 44);
const MASQUERADE = { ipv4: extensionTemplate('MASQUERADE', 0, 20), ipv6: extensionTemplate('MASQUERADE', 0, 40) };

const NAT_ADDRESSES = 1;
const NAT_PORTS = 2;
const NAT_FULLY_RANDOM = 16;

const REJECTIONS: Readonly<Record<EntryLayout['family'], Readonly<Record<string, number>>>> = {
  ipv4: {
    'icmp-net-unreachable': 0,
    'icmp-host-unreachable': 1,
    'icmp-proto-unreachable': 2,
    'icmp-port-unreachable': 3,
    'icmp-net-prohibited': 5,
    'icmp-host-prohibited': 6,
    'tcp-reset': 7,
    'icmp-admin-prohibited': 8,
  },
  ipv6: {
    'icmp6-no-route': 0,
    'icmp6-adm-prohibited': 1,
    'icmp6-addr-unreachable': 3,
    'icmp6-port-unreachable': 4,
    'tcp-reset': 6,
  },
};
const USUAL_REJECTION = { ipv4: 'icmp-port-unreachable', ipv6: 'icmp6-port-unreachable' } as const;

/** Writes the target of a verdict, or of a jump whose destination is not known yet. */
export function encodeStandardTarget(into: Buffer, at: number, verdict: keyof typeof VERDICTS | undefined): void {
  into.set(STANDARD, at);
  if (verdict !== undefined) into.writeInt32LE(VERDICTS[verdict], at + EXTENSION_HEADER_BYTES);
}

export interface TargetPlace {
  readonly layout: EntryLayout;
  readonly at: number;
  /** The protocol of the packets that come here, undefined when they may be of several. */
  readonly protocol: string | undefined;
}

/** Writes a target and returns where it ends; undefined when only the program knows to write or to refuse it. */
export function encodeTarget(into: Buffer, target: ExtensionTarget, place: TargetPlace): number | undefined {
  const { layout, at } = place;
  const data = at + EXTENSION_HEADER_BYTES;
  switch (target.kind) {
    case 'mark':
      if (!isWord(target.value) || !isWord(target.mask)) return undefined;
      into.set(MARK, at);
      into.writeUInt32LE(target.value, data);
      into.writeUInt32LE(target.mask, data + 4);
      return at + MARK.length;
    case 'reject':
      return encodeReject(into, target.with, place);
    case 'masquerade': {
      const template = MASQUERADE[layout.family];
      into.set(template, at);
      // IPv4 has a list of ranges, of which there is always one.
      if (layout.family === 'ipv4') into.writeUInt32LE(1, data);
      into.writeUInt32LE(target.randomFully ? NAT_FULLY_RANDOM : 0, layout.family === 'ipv4' ? data + 4 : data);
      return at + template.length;
    }
    case 'dnat':
      return encodeDnat(into, target.to, place);
    default:
      return undefined;
  }
}

function encodeReject(
  into: Buffer,
  answer: string | undefined,
  { layout, at, protocol }: TargetPlace,
): number | undefined {
  const code = REJECTIONS[layout.family][answer ?? USUAL_REJECTION[layout.family]];
  if (code === undefined || (answer === 'tcp-reset' && protocol !== 'tcp')) return undefined;
  into.set(REJECT, at);
  into.writeUInt32LE(code, at + EXTENSION_HEADER_BYTES);
  return at + REJECT.length;
}

const WITH_PORTS = new Set(['tcp', 'udp', 'sctp']);

function encodeDnat(into: Buffer, to: string, { layout, at, protocol }: TargetPlace): number | undefined {
  const { family, addressBytes } = layout;
  const isBracketed = to.startsWith('[');
  const colon = isBracketed ? to.indexOf(']') + 1 : to.indexOf(':');
  const end = colon === -1 ? to.length : colon;
  const hasPort = end < to.length;
  const port = hasPort ? parsePort(to.slice(end)) : 0;
  if (port === undefined || (hasPort && !WITH_PORTS.has(protocol ?? ''))) return undefined;
  into.set(DNAT, at);
  const data = at + EXTENSION_HEADER_BYTES;
  const address = isBracketed ? { start: 1, end: end - 1 } : { start: 0, end };
  if (isBracketed !== (family === 'ipv6') || !writeAddress(into, data + 4, { family, text: to, ...address }))
    return undefined;
  into.copyWithin(data + 20, data + 4, data + 4 + addressBytes);
  into.writeUInt32LE(hasPort ? NAT_ADDRESSES | NAT_PORTS : NAT_ADDRESSES, data);
  into.writeUInt16BE(port, data + 36);
  into.writeUInt16BE(port, data + 38);
  return at + DNAT.length;
}

// `:80`.
function parsePort(text: string): number | undefined {
  const port = /^:\d{1,5}$/.test(text) ? Number(text.slice(1)) : 0;
  return port === 0 || port > 0xffff ? undefined : port;
}
