import { KernelCommandError } from '../../errors/kernel-command-error.ts';

/**
 * True when the kernel refused what was written. False when it was not asked: somebody else held the lock of iptables for too
 * long, or the program was killed. Nobody's rules are at fault then.
 */
export function isRefusal(error: unknown): error is KernelCommandError {
  return error instanceof KernelCommandError && error.exitCode !== undefined && !/xtables lock/i.test(error.stderr);
}
