import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { TowtankError } from './towtank-error.ts';

export interface SystemCallFailure {
  /** Name of the system call, such as `setns`. */
  readonly syscall: string;
  /** The positive errno that the kernel answered with. */
  readonly errno: number;
  /** What the call was about: a path, an address, a name. */
  readonly subject?: string | undefined;
  /** Name of the network namespace it was made in; undefined for the process's own. */
  readonly netns?: string | undefined;
  readonly hint?: string | undefined;
}

/** A system call failed: `name` of the errno in `errno`, where and about what in the message. */
export class SystemCallError extends TowtankError {
  readonly syscall: string;
  /** The errno by name, such as `EADDRINUSE`. */
  readonly errno: string;
  readonly netns: string | undefined;
  constructor(failure: SystemCallFailure) {
    const about = failure.subject === undefined ? '' : ` ${failure.subject}`;
    const where = failure.netns === undefined ? '' : ` in ${failure.netns}`;
    const errno = getSystemErrorName(-failure.errno);
    super({
      code: 'ERR_SYSCALL',
      message: `${failure.syscall}${about}${where} failed: ${getSystemErrorMessage(-failure.errno)} (${errno})`,
      hint: failure.hint,
    });
    this.syscall = failure.syscall;
    this.errno = errno;
    this.netns = failure.netns;
  }
}
