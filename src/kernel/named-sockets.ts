import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { SystemCallError } from '../errors/system-call-error.ts';
import { abstractAddress, claimName } from './claim-name.ts';
import { AF_UNIX, SHUT_RD, SO_PEERCRED, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET } from './ffi/constants.ts';
import { openSocket, systemCall } from './ffi/system-calls.ts';

/** Listens at a name of the network namespace that this process is in; undefined when somebody else has it. Throws ERR_SYSCALL. */
export function listenAtName(name: string): number | undefined {
  const fd = claimName(name);
  if (fd !== undefined) systemCall('listen', [fd, 16], { subject: name });
  return fd;
}

/**
 * Connects to who listens at a name; undefined when nobody does. The descriptor blocks, and calls on it fail with EAGAIN when the other
 * side does not answer in time. Throws ERR_SYSCALL.
 */
export function connectToName(name: string, timeoutMs: number): number | undefined {
  const fd = openSocket(AF_UNIX, SOCK_STREAM, 0);
  const address = abstractAddress(name);
  const limit = Buffer.from(BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), 0n).buffer);
  try {
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO])
      systemCall('setsockopt', [fd, SOL_SOCKET, option, limit, limit.length], { subject: name });
    systemCall('connect', [fd, address, address.length], { subject: name });
    return fd;
  } catch (error) {
    closeSync(fd);
    if (error instanceof SystemCallError && error.errno === 'ECONNREFUSED') return undefined;
    throw error;
  }
}

/** The process at the other end of a UNIX connection, as the kernel knows it. Throws ERR_SYSCALL. */
export function peerOf(fd: number): { readonly pid: number; readonly uid: number } {
  const credentials = Buffer.alloc(12);
  const length = Buffer.from(Uint32Array.of(credentials.length).buffer);
  systemCall('getsockopt', [fd, SOL_SOCKET, SO_PEERCRED, credentials, length]);
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
}

/**
 * Takes nothing more from the other end of a UNIX connection: what it has sent can still be read, before the end, and what it sends from
 * now on fails with EPIPE. The kernel decides which of the two a message is. Throws ERR_SYSCALL.
 */
export function stopHearing(fd: number): void {
  systemCall('shutdown', [fd, SHUT_RD]);
}

/** The descriptor of a socket of Node's, which tells it to nobody; -1 once it is closed. */
export function descriptorOf(socket: Socket): number {
  return (socket as Socket & { readonly _handle?: { readonly fd: number } | null })._handle?.fd ?? -1;
}
