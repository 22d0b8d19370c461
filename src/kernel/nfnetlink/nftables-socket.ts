import { closeSync } from 'node:fs';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { SystemCallError } from '../../errors/system-call-error.ts';
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  SO_SNDBUF,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from '../ffi/constants.ts';
import { openSocket, setIntOption, systemCall, systemCallIfReady } from '../ffi/system-calls.ts';
import { findAttribute } from '../netlink/rtnetlink-socket.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { NETLINK_NETFILTER } from './constants.ts';

/** One message from the kernel; `body` is what follows the netlink header. */
export interface Reply {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** A refusal: errno by name and the kernel's or the system's words. */
export interface Refusal {
  readonly sequence: number;
  readonly errno: string;
  readonly explanation: string;
}

const NLMSG_ERROR = 2;
const MSG_DONTWAIT = 0x40;
const SO_SNDBUFFORCE = 32;
const headerLength = 16;
const replies = Buffer.alloc(65_536);

/** A netfilter netlink socket of one network namespace. The kernel answers before `send` returns. */
export class NftablesSocket implements Disposable {
  readonly netns: NetworkNamespace;
  readonly #fd: number;
  #capacity = 0;

  constructor(netns: NetworkNamespace) {
    this.netns = netns;
    this.#fd = netns.run(() => openSocket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, { netns: netns.name }));
    setIntOption(this.#fd, [SOL_NETLINK, NETLINK_CAP_ACK], 1);
    setIntOption(this.#fd, [SOL_NETLINK, NETLINK_EXT_ACK], 1);
  }

  /** Sends messages and returns what the kernel answered. Throws SystemCallError, EMSGSIZE when the batch is too large. */
  exchange(messages: Uint8Array): Reply[] {
    this.#makeRoom(messages.length);
    systemCall('send', [this.#fd, messages, messages.length, 0], { netns: this.netns.name, subject: 'nftables' });
    const answer: Reply[] = [];
    for (let part = this.#receive(); part.length > 0; part = this.#receive()) answer.push(...part);
    return answer;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  // A message must fit the send buffer. Beyond the system's limit that takes privileges which a user namespace does not give.
  #makeRoom(bytes: number): void {
    if (bytes <= this.#capacity) return;
    try {
      setIntOption(this.#fd, [SOL_SOCKET, SO_SNDBUFFORCE], bytes);
    } catch (error) {
      if (!(error instanceof SystemCallError) || error.errno !== 'EPERM') throw error;
      setIntOption(this.#fd, [SOL_SOCKET, SO_SNDBUF], bytes);
    }
    this.#capacity = bytes;
  }

  #receive(): Reply[] {
    const netns = this.netns.name;
    const length = systemCallIfReady('recv', [this.#fd, replies, replies.length, MSG_DONTWAIT], { netns });
    if (length === undefined) return [];
    return splitReplies(Buffer.from(replies.subarray(0, length)));
  }
}

function splitReplies(bytes: Buffer): Reply[] {
  const found: Reply[] = [];
  for (let at = 0; at + headerLength <= bytes.length; ) {
    const size = bytes.readUInt32LE(at);
    if (size < headerLength) break;
    found.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      body: bytes.subarray(at + headerLength, at + size),
    });
    at += (size + 3) & ~3;
  }
  return found;
}

/** True for an acknowledgement or a refusal. */
export function isAcknowledgement({ type }: Reply): boolean {
  return type === NLMSG_ERROR;
}

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** The refusal in a reply; undefined when it says success. */
export function refusalOf({ sequence, flags, body }: Reply): Refusal | undefined {
  const errno = body.readInt32LE(0);
  if (errno === 0) return undefined;
  const echoed = (flags & NLM_F_CAPPED) === 0 ? body.readUInt32LE(4) : headerLength;
  const words =
    (flags & NLM_F_ACK_TLVS) === 0
      ? undefined
      : findAttribute(body.subarray(4 + ((echoed + 3) & ~3)), NLMSGERR_ATTR_MSG);
  return {
    sequence,
    errno: getSystemErrorName(errno),
    explanation: words?.subarray(0, -1).toString() ?? getSystemErrorMessage(errno),
  };
}
