import { closeSync } from 'node:fs';
import { SystemCallError } from '../errors/system-call-error.ts';
import { AF_UNIX, SOCK_STREAM } from './ffi/constants.ts';
import { openSocket, systemCall } from './ffi/system-calls.ts';

/**
 * Takes a name of the network namespace that this process is in, for as long as the descriptor that it returns is open anywhere:
 * it is free again when its owner has ended, however it did. Undefined when somebody else has it. Throws ERR_SYSCALL.
 */
export function claimName(name: string): number | undefined {
  const fd = openSocket(AF_UNIX, SOCK_STREAM, 0);
  const address = abstractAddress(name);
  try {
    systemCall('bind', [fd, address, address.length], { subject: name });
    return fd;
  } catch (error) {
    closeSync(fd);
    if (error instanceof SystemCallError && error.errno === 'EADDRINUSE') return undefined;
    throw error;
  }
}

/** A `sockaddr_un` whose path begins with a zero byte: a name that no file system has. */
export function abstractAddress(name: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, Buffer.from(`\0${name}`)]);
}
