import { closeSync } from 'node:fs';
import { TowtankError } from '../../errors/towtank-error.ts';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_ROUTE,
  SOCK_RAW,
  SOL_NETLINK,
} from '../ffi/constants.ts';
import { openSocket, setIntOption, systemCall } from '../ffi/system-calls.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import * as rt from './rtnetlink-constants.ts';

/** What the kernel answered to one message: errno 0 is success. */
export interface Acknowledgement {
  readonly sequence: number;
  readonly errno: number;
  readonly explanation: string | undefined;
}

const MSG_DONTWAIT = 0x40;
const headerLength = 16;
const replies = Buffer.alloc(65536);

/** Opens a routing netlink socket of `netns`, hands it to `use` and closes it. */
export function withRtnetlink<T>(netns: NetworkNamespace, use: (fd: number) => T): T {
  const fd = openNetlink(netns, NETLINK_ROUTE);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Opens a netlink socket of `netns` that explains refusals; `protocol` is NETLINK_ROUTE or another. To be closed by the caller. */
export function openNetlink(netns: NetworkNamespace, protocol: number): number {
  const fd = netns.run(() => openSocket(AF_NETLINK, SOCK_RAW, protocol, { netns: netns.name }));
  setIntOption(fd, [SOL_NETLINK, NETLINK_CAP_ACK], 1);
  setIntOption(fd, [SOL_NETLINK, NETLINK_EXT_ACK], 1);
  return fd;
}

/** Sends a batch of `count` messages that all ask for an acknowledgement, and returns these in the order of their arrival. */
export function exchange(fd: number, batch: Uint8Array, count: number): Acknowledgement[] {
  systemCall('send', [fd, batch, batch.length, 0]);
  const acknowledgements: Acknowledgement[] = [];
  while (acknowledgements.length < count) {
    for (const message of receive(fd)) {
      if (message.type === rt.NLMSG_ERROR) acknowledgements.push(parseAcknowledgement(message));
    }
  }
  return acknowledgements;
}

/** Sends one request that is answered by one message; returns that, or the refusal. */
export function request(fd: number, message: Uint8Array): NetlinkMessage | Acknowledgement {
  systemCall('send', [fd, message, message.length, 0]);
  const [answer] = receive(fd);
  if (answer === undefined) throw malformed();
  return answer.type === rt.NLMSG_ERROR ? parseAcknowledgement(answer) : answer;
}

/**
 * Sends one request for a list and yields the answer in parts, each to be read before the next is asked for; returns the
 * refusal, if it was one.
 */
export function* list(
  fd: number,
  message: Uint8Array,
): Generator<readonly NetlinkMessage[], Acknowledgement | undefined> {
  systemCall('send', [fd, message, message.length, 0]);
  for (;;) {
    const part = receive(fd);
    const end = part.findIndex(({ type }) => type === rt.NLMSG_DONE || type === rt.NLMSG_ERROR);
    yield end === -1 ? part : part.slice(0, end);
    if (end !== -1) return part[end]!.type === rt.NLMSG_ERROR ? parseAcknowledgement(part[end]!) : undefined;
  }
}

/** One message from the kernel; `body` is what follows the netlink header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

// The routing subsystem answers before send(2) returns, so an empty queue is a lost answer and must not block the process.
function receive(fd: number): NetlinkMessage[] {
  const length = systemCall('recv', [fd, replies, replies.length, MSG_DONTWAIT], { subject: 'netlink answer' });
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerLength <= length; ) {
    const size = replies.readUInt32LE(at);
    if (size < headerLength || at + size > length) throw malformed();
    messages.push({
      type: replies.readUInt16LE(at + 4),
      flags: replies.readUInt16LE(at + 6),
      sequence: replies.readUInt32LE(at + 8),
      body: replies.subarray(at + headerLength, at + size),
    });
    at += (size + 3) & ~3;
  }
  return messages;
}

function parseAcknowledgement({ sequence, flags, body }: NetlinkMessage): Acknowledgement {
  const errno = -body.readInt32LE(0);
  return { sequence, errno, explanation: errno === 0 ? undefined : parseExplanation(flags, body) };
}

function parseExplanation(flags: number, body: Buffer): string | undefined {
  if ((flags & rt.NLM_F_ACK_TLVS) === 0) return undefined;
  const echoed = (flags & rt.NLM_F_CAPPED) === 0 ? body.readUInt32LE(4) : headerLength;
  const text = findAttribute(body.subarray(4 + ((echoed + 3) & ~3)), rt.NLMSGERR_ATTR_MSG);
  return text?.subarray(0, -1).toString();
}

/** The value of the first attribute of `type` in a row of netlink attributes. */
export function findAttribute(attributes: Buffer, type: number): Buffer | undefined {
  for (let at = 0; at + 4 <= attributes.length; ) {
    const length = attributes.readUInt16LE(at);
    if (length < 4) return undefined;
    if ((attributes.readUInt16LE(at + 2) & 0x3fff) === type) return attributes.subarray(at + 4, at + length);
    at += (length + 3) & ~3;
  }
  return undefined;
}

function malformed(): TowtankError {
  return new TowtankError({ code: 'ERR_INTERNAL', message: 'malformed answer on a netlink socket' });
}
