import type { ConntrackFlow, Family } from '../../netfilter/runner.ts';
import { AF_INET, AF_INET6, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from '../ffi/constants.ts';
import { ipBytes, printIp } from '../ffi/ip-bytes.ts';
import type { MessageWriter } from '../netlink/message-writer.ts';
import * as rt from '../netlink/rtnetlink-constants.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import * as ct from './constants.ts';

const protocolNumbers = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, sctp: IPPROTO_SCTP } as const;
const nfgenmsgLength = 4;

/** An entry as the kernel lists it, with the kernel's number for it. */
export interface ListedFlow {
  readonly flow: ConntrackFlow;
  readonly id: Buffer | undefined;
}

/** Writes the request for all entries of a family. */
export function encodeList(w: MessageWriter, family: Family): void {
  w.begin(ct.IPCTNL_MSG_CT_GET, rt.NLM_F_REQUEST | rt.NLM_F_DUMP, 1);
  writeHeader(w, family);
  w.end();
}

/**
 * Writes the request to delete one entry. It is named by its reply direction, which says where it was translated to, and by its
 * id, which stands for the original one: a new flow of the same client to another endpoint is left alone.
 */
export function encodeDelete(w: MessageWriter, { flow, id }: ListedFlow, sequence: number): void {
  w.begin(ct.IPCTNL_MSG_CT_DELETE, rt.NLM_F_REQUEST | rt.NLM_F_ACK, sequence);
  writeHeader(w, flow.family);
  const { family, reply, protocol } = flow;
  w.nest(ct.CTA_TUPLE_REPLY | ct.NLA_F_NESTED, () => {
    const v4 = family === 'ipv4';
    w.nest(ct.CTA_TUPLE_IP | ct.NLA_F_NESTED, () => {
      w.attribute(v4 ? ct.CTA_IP_V4_SRC : ct.CTA_IP_V6_SRC, ipBytes(reply.source));
      w.attribute(v4 ? ct.CTA_IP_V4_DST : ct.CTA_IP_V6_DST, ipBytes(reply.destination));
    });
    w.nest(ct.CTA_TUPLE_PROTO | ct.NLA_F_NESTED, () => {
      w.attributeU8(ct.CTA_PROTO_NUM, protocolNumbers[protocol]);
      w.attribute(ct.CTA_PROTO_SRC_PORT, port(reply.sourcePort));
      w.attribute(ct.CTA_PROTO_DST_PORT, port(reply.destinationPort));
    });
  });
  if (id !== undefined) w.attribute(ct.CTA_ID, id);
  w.end();
}

/** Reads one entry of a list; undefined when it is of another protocol. `body` is what follows the netlink header. */
export function decodeFlow(
  body: Buffer,
  { family, protocol }: Pick<ConntrackFlow, 'family' | 'protocol'>,
): ListedFlow | undefined {
  const attributes = body.subarray(nfgenmsgLength);
  const original = decodeTuple(findAttribute(attributes, ct.CTA_TUPLE_ORIG), family);
  const reply = decodeTuple(findAttribute(attributes, ct.CTA_TUPLE_REPLY), family);
  if (original === undefined || reply === undefined || original.protocol !== protocolNumbers[protocol])
    return undefined;
  const id = findAttribute(attributes, ct.CTA_ID);
  const flow = { family, protocol, original: original.ends, reply: reply.ends };
  return { flow, id: id === undefined ? undefined : Buffer.from(id) };
}

interface Tuple {
  readonly protocol: number;
  readonly ends: ConntrackFlow['original'];
}

function decodeTuple(tuple: Buffer | undefined, family: Family): Tuple | undefined {
  if (tuple === undefined) return undefined;
  const ip = findAttribute(tuple, ct.CTA_TUPLE_IP);
  const proto = findAttribute(tuple, ct.CTA_TUPLE_PROTO);
  if (ip === undefined || proto === undefined) return undefined;
  const v4 = family === 'ipv4';
  const source = findAttribute(ip, v4 ? ct.CTA_IP_V4_SRC : ct.CTA_IP_V6_SRC);
  const destination = findAttribute(ip, v4 ? ct.CTA_IP_V4_DST : ct.CTA_IP_V6_DST);
  const sourcePort = findAttribute(proto, ct.CTA_PROTO_SRC_PORT);
  const destinationPort = findAttribute(proto, ct.CTA_PROTO_DST_PORT);
  if (!source || !destination || !sourcePort || !destinationPort) return undefined;
  return {
    protocol: findAttribute(proto, ct.CTA_PROTO_NUM)?.[0] ?? 0,
    ends: {
      source: printIp(source),
      destination: printIp(destination),
      sourcePort: sourcePort.readUInt16BE(),
      destinationPort: destinationPort.readUInt16BE(),
    },
  };
}

/** `struct nfgenmsg`: family, version 0, and a number that is not used here. */
function writeHeader(w: MessageWriter, family: Family): void {
  w.u8(family === 'ipv4' ? AF_INET : AF_INET6);
  w.u8(0);
  w.u16(0);
}

function port(number: number): Buffer {
  return Buffer.from([number >> 8, number & 0xff]);
}
