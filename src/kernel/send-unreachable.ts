import { closeSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { AF_INET, AF_INET6, IPPROTO_UDP, SOCK_RAW } from './ffi/constants.ts';
import { ipBytes } from './ffi/ip-bytes.ts';
import { internetAddress } from './ffi/socket-address.ts';
import { openSocket, systemCall } from './ffi/system-calls.ts';
import type { NetworkNamespace } from './network-namespace.ts';

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const TIME_TO_LIVE = 64;
const UDP_HEADER_LENGTH = 8;

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A UDP datagram that is refused: who sent it, and where it arrived in this namespace. */
export interface RefusedDatagram {
  readonly from: Endpoint;
  readonly to: Endpoint;
}

/** Answers a datagram with ICMP "port unreachable" from `netns`; connection tracking translates it as it does the kernel's own. Throws ERR_SYSCALL. */
export function sendUnreachable(netns: NetworkNamespace, datagram: RefusedDatagram): void {
  const v6 = isIPv6(datagram.from.host);
  const context = { netns: netns.name, subject: datagram.from.host };
  const fd = netns.run(() =>
    openSocket(v6 ? AF_INET6 : AF_INET, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, context),
  );
  try {
    const message = buildUnreachable(datagram, v6);
    const address = internetAddress(datagram.from.host, 0);
    systemCall('sendto', [fd, message, message.length, 0, address, address.length], context);
  } finally {
    closeSync(fd);
  }
}

// RFC 792 and RFC 4443: type and code, a checksum (of ICMPv6 the kernel makes it), and the beginning of the refused packet.
function buildUnreachable(datagram: RefusedDatagram, v6: boolean): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(v6 ? 1 : 3, 0);
  head.writeUInt8(v6 ? 4 : 3, 1);
  const message = Buffer.concat([head, v6 ? ipv6Header(datagram) : ipv4Header(datagram), udpHeader(datagram)]);
  if (!v6) message.writeUInt16BE(checksum(message), 2);
  return message;
}

function ipv4Header({ from, to }: RefusedDatagram): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(header.length + UDP_HEADER_LENGTH, 2);
  header.writeUInt8(TIME_TO_LIVE, 8);
  header.writeUInt8(IPPROTO_UDP, 9);
  ipBytes(from.host).copy(header, 12);
  ipBytes(to.host).copy(header, 16);
  header.writeUInt16BE(checksum(header), 10);
  return header;
}

function ipv6Header({ from, to }: RefusedDatagram): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(UDP_HEADER_LENGTH, 4);
  header.writeUInt8(IPPROTO_UDP, 6);
  header.writeUInt8(TIME_TO_LIVE, 7);
  ipBytes(from.host).copy(header, 8);
  ipBytes(to.host).copy(header, 24);
  return header;
}

function udpHeader({ from, to }: RefusedDatagram): Buffer {
  const header = Buffer.alloc(UDP_HEADER_LENGTH);
  header.writeUInt16BE(from.port, 0);
  header.writeUInt16BE(to.port, 2);
  header.writeUInt16BE(UDP_HEADER_LENGTH, 4);
  return header;
}

// RFC 1071; the length is even.
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
