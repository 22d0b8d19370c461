import { MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET } from './ffi/constants.ts';
import { libc } from './ffi/libc.ts';
import { systemCall } from './ffi/system-calls.ts';

/** The kernel passes no more of them at once. */
export const DESCRIPTORS_AT_ONCE = 253;

// struct msghdr of 64-bit Linux: name, namelen, iov, iovlen, control, controllen, flags.
const HEADER = { size: 56, vector: 16, vectorLength: 24, control: 32, controlLength: 40 } as const;
// struct cmsghdr: length, level, type; the descriptors follow.
const CONTROL_HEADER = 16;
const CONTROL = CONTROL_HEADER + 4 * (DESCRIPTORS_AT_ONCE + 1);
const IOVEC = 16;

interface MessageMemory {
  readonly header: Buffer;
  readonly control: Buffer;
}

let memory: MessageMemory | undefined;

/** Sends descriptors over a UNIX connection, with one byte. They stay open here. Throws ERR_SYSCALL. */
export function sendDescriptors(fd: number, descriptors: readonly number[]): void {
  const { header, control } = messageMemory();
  const length = CONTROL_HEADER + 4 * descriptors.length;
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) control.writeInt32LE(descriptor, CONTROL_HEADER + 4 * index);
  header.writeBigUInt64LE(BigInt(length), HEADER.controlLength);
  systemCall('sendmsg', [fd, header, MSG_NOSIGNAL], { subject: `${descriptors.length} descriptors` });
}

/**
 * Receives the byte and its descriptors, which programs started later do not inherit: none where others have sent the byte, undefined
 * at the end. Throws ERR_SYSCALL.
 */
export function receiveDescriptors(fd: number): readonly number[] | undefined {
  const { header, control } = messageMemory();
  header.writeBigUInt64LE(BigInt(CONTROL), HEADER.controlLength);
  const count = systemCall('recvmsg', [fd, header, MSG_CMSG_CLOEXEC], { subject: 'descriptors' });
  if (count === 0) return undefined;
  if (header.readBigUInt64LE(HEADER.controlLength) < CONTROL_HEADER) return [];
  const end = Number(control.readBigUInt64LE(0));
  const descriptors: number[] = [];
  for (let at = CONTROL_HEADER; at < end; at += 4) descriptors.push(control.readInt32LE(at));
  return descriptors;
}

// One message at a time: it is sent or received before the call returns.
function messageMemory(): MessageMemory {
  if (memory !== undefined) return memory;
  const { allocate } = libc();
  const [bytes, vector, control] = [allocate(1), allocate(IOVEC), allocate(CONTROL)];
  const [vectorView, header] = [Buffer.from(vector.buffer), Buffer.alloc(HEADER.size)];
  vectorView.writeBigUInt64LE(bytes.address, 0);
  vectorView.writeBigUInt64LE(1n, 8);
  header.writeBigUInt64LE(vector.address, HEADER.vector);
  header.writeBigUInt64LE(1n, HEADER.vectorLength);
  header.writeBigUInt64LE(control.address, HEADER.control);
  memory = { header, control: Buffer.from(control.buffer) };
  return memory;
}
