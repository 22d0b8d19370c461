import { O_CLOEXEC } from '../ffi/constants.ts';
import { systemCall } from '../ffi/system-calls.ts';

/** The two descriptors of a pipe. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** Opens a pipe that no program inherits. Throws ERR_SYSCALL. */
export function openPipe(): Pipe {
  const descriptors = Buffer.alloc(8);
  systemCall('pipe2', [descriptors, O_CLOEXEC], { subject: 'pipe' });
  return { read: descriptors.readInt32LE(0), write: descriptors.readInt32LE(4) };
}
