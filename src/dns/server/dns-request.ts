import { DO_BIT } from '../wire/edns.ts';
import {
  decodePrefix,
  encodeMessage,
  Flag,
  HEADER_LENGTH,
  type Message,
  opcodeOf,
  type Question,
} from '../wire/message.ts';
import { Rcode } from '../wire/rcode.ts';

/** Who asked, and over what. */
export interface Client {
  /** IP literal; an IPv4 client of a dual-stack socket is given as IPv4. */
  readonly address: string;
  readonly port: number;
  readonly transport: 'udp' | 'tcp';
}

/** A query that passed the header rules. */
export interface DnsRequest {
  readonly message: Message;
  readonly question: Question;
  readonly client: Client;
  /** The packet as it came, to be forwarded unchanged. */
  readonly bytes: Uint8Array;
  /** Largest reply in bytes: what the client advertised, at least 512; 65535 over TCP. */
  readonly size: number;
}

export type Acceptance =
  | { readonly kind: 'ignored' }
  | { readonly kind: 'refused'; readonly rcode: number; readonly reply: Uint8Array }
  | { readonly kind: 'accepted'; readonly request: DnsRequest };

const IGNORED: Acceptance = { kind: 'ignored' };
const MIN_SIZE = 512;
const NOTIFY = 4;
/** As CoreDNS: an error about the packet itself leaves these bits of the query as they were. */
const KEPT = Flag.TC | Flag.RD | Flag.RA | Flag.AD | Flag.CD;

/**
 * Applies the header rules of CoreDNS's library: replies and short packets get silence (nothing reflects), a foreign opcode
 * NOTIMP, wrong counts or an unreadable packet FORMERR, no question SERVFAIL.
 */
export function acceptPacket(bytes: Uint8Array, client: Client): Acceptance {
  if (bytes.length < HEADER_LENGTH) return IGNORED;
  const flags = (bytes[2]! << 8) | bytes[3]!;
  if ((flags & Flag.QR) !== 0) return IGNORED;
  const opcode = opcodeOf(flags);
  if (opcode !== 0 && opcode !== NOTIFY) return refuse(bytes, Rcode.NOTIMP, { flags: (flags & KEPT) | (opcode << 11) });
  if (!hasAllowedCounts(bytes)) return refuse(bytes, Rcode.FORMERR, { flags: flags & KEPT });
  const prefix = decodePrefix(bytes);
  const message = prefix?.message;
  if (message === undefined) {
    return refuse(bytes, Rcode.FORMERR, { flags: flags & KEPT, questions: prefix?.questions });
  }
  const question = message.questions[0];
  if (question === undefined) {
    const copied = opcode === 0 ? flags & (Flag.RD | Flag.CD) : 0;
    return refuse(bytes, Rcode.SERVFAIL, { flags: copied | (opcode << 11) });
  }
  const size = client.transport === 'tcp' ? 0xffff : Math.max(MIN_SIZE, message.edns?.udpSize ?? 0);
  return { kind: 'accepted', request: { message, question, client, bytes, size } };
}

/** The same request with another question, as plugins ask the server itself. */
export function withQuestion(request: DnsRequest, question: Question): DnsRequest {
  return { ...request, question, message: { ...request.message, questions: [question] } };
}

/** True when the client set the DO bit. */
export function wantsDnssec({ message }: DnsRequest): boolean {
  return ((message.edns?.flags ?? 0) & DO_BIT) !== 0;
}

function hasAllowedCounts(bytes: Uint8Array): boolean {
  const count = (i: number): number => (bytes[i]! << 8) | bytes[i + 1]!;
  return count(4) === 1 && count(6) <= 1 && count(8) <= 1 && count(10) <= 2;
}

function refuse(
  bytes: Uint8Array,
  rcode: number,
  { flags, questions = [] }: { flags: number; questions?: readonly Question[] | undefined },
): Acceptance {
  const id = (bytes[0]! << 8) | bytes[1]!;
  const message = { id, flags: Flag.QR | flags | rcode, questions, answer: [], authority: [], additional: [] };
  return { kind: 'refused', rcode, reply: encodeMessage(message) };
}
