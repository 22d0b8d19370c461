import { type Edns, type EdnsOption, isEchoedOption } from '../wire/edns.ts';
import { encodeMessage, Flag, opcodeOf } from '../wire/message.ts';
import { Rcode } from '../wire/rcode.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { DnsRequest } from './dns-request.ts';

/** What a plugin answers. The server adds id, question, echoed flags and the OPT record, and cuts it to size. */
export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticatedData: boolean;
  readonly truncated: boolean;
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  /** Options for the OPT record; used only when the query had an OPT record. */
  readonly options: readonly EdnsOption[];
  /** Whether options of the query are echoed besides: not where an upstream has answered them. */
  readonly echo: boolean;
  /** The plugin that wrote it: a label of coredns_dns_responses_total. */
  readonly plugin: string;
  /** False for a bare code that the server itself turns into a message: plugins in front neither cache nor rewrite it. */
  readonly written: boolean;
  /** Records of a zone transfer, sent over TCP in as many messages as it takes. */
  readonly transfer?: readonly ResourceRecord[] | undefined;
  /** What went wrong, for the errors plugin. */
  readonly error?: string | undefined;
}

/** A reply without records; override what differs. */
export function buildReply(plugin: string, fields: Partial<Reply> = {}): Reply {
  return {
    rcode: Rcode.NOERROR,
    authoritative: false,
    recursionAvailable: false,
    authenticatedData: false,
    truncated: false,
    answer: [],
    authority: [],
    additional: [],
    options: [],
    echo: true,
    plugin,
    written: true,
    ...fields,
  };
}

/** A bare code, as a plugin that gives up returns it. */
export function bareReply(plugin: string, rcode: number, error?: string): Reply {
  return buildReply(plugin, { rcode, written: false, error });
}

/** The wire form of a reply, no larger than the request allows. */
export function encodeReply(request: DnsRequest, reply: Reply): Uint8Array {
  const { message } = request;
  const asked = message.flags;
  const opcode = opcodeOf(asked);
  // As CoreDNS: RD and CD are copied from queries only, AD is never set by the server itself.
  const copied = opcode === 0 ? asked & (Flag.RD | Flag.CD) : 0;
  const flags =
    Flag.QR |
    (opcode << 11) |
    copied |
    (reply.authoritative ? Flag.AA : 0) |
    (reply.truncated ? Flag.TC : 0) |
    (reply.recursionAvailable ? Flag.RA : 0) |
    (reply.authenticatedData ? Flag.AD : 0) |
    (reply.rcode & 0xf);
  const { answer, authority, additional } = reply;
  const edns = replyEdns(request, reply);
  return encodeMessage(
    { id: message.id, flags, questions: [request.question], answer, authority, additional, edns },
    { limit: request.size },
  );
}

function replyEdns({ message }: DnsRequest, reply: Reply): Edns | undefined {
  const asked = message.edns;
  if (asked === undefined) return undefined;
  const extendedRcode = reply.rcode >> 4;
  // As CoreDNS: a BADVERS reply advertises nothing.
  if (reply.rcode === Rcode.BADVERS) return { udpSize: 0, version: 0, flags: 0, extendedRcode, options: [] };
  const echoed = reply.echo ? asked.options.filter((option) => isEchoedOption(option.code)) : [];
  return {
    udpSize: asked.udpSize,
    version: 0,
    flags: asked.flags & 0xff00,
    extendedRcode,
    options: [...echoed, ...reply.options],
  };
}
