import { SystemCallError } from '../../errors/system-call-error.ts';
import { EAGAIN, EINTR, SOCK_CLOEXEC } from './constants.ts';
import { type Libc, libc } from './libc.ts';

/** What a failing call is about, for its error. */
export interface CallContext {
  readonly subject?: string | undefined;
  readonly netns?: string | undefined;
}

type Call = Exclude<keyof Libc, 'errno' | 'place' | 'allocate' | 'aside' | 'address'>;

/**
 * Calls a C function of the kernel's and returns its non-negative result; repeats it when a signal interrupted it.
 * Throws SystemCallError (ERR_SYSCALL) otherwise.
 */
export function systemCall<C extends Call>(name: C, args: Parameters<Libc[C]>, context: CallContext = {}): number {
  const result = callAgain(name, args);
  if (result < 0) throw new SystemCallError({ syscall: name, errno: -result, ...context });
  return result;
}

/** The same for a call that may have nothing to do: undefined then (EAGAIN), without the price of an error. */
export function systemCallIfReady<C extends Call>(
  name: C,
  args: Parameters<Libc[C]>,
  context: CallContext = {},
): number | undefined {
  const result = callAgain(name, args);
  if (result === -EAGAIN) return undefined;
  if (result < 0) throw new SystemCallError({ syscall: name, errno: -result, ...context });
  return result;
}

// A failure is its negative errno.
function callAgain<C extends Call>(name: C, args: Parameters<Libc[C]>): number {
  const library = libc();
  const call = library[name] as (...values: unknown[]) => number;
  for (;;) {
    const result = call(...args);
    if (result >= 0) return result;
    const errno = library.errno();
    if (errno !== EINTR) return -errno;
  }
}

/** Opens a socket that programs started later do not inherit; returns its descriptor. */
export function openSocket(domain: number, type: number, protocol: number, context: CallContext = {}): number {
  return systemCall('socket', [domain, type | SOCK_CLOEXEC, protocol], context);
}

/** Sets a socket option whose value is a C int. */
export function setIntOption(fd: number, option: readonly [level: number, name: number], value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  systemCall('setsockopt', [fd, option[0], option[1], bytes, 4], { subject: `option ${option[1]}` });
}
