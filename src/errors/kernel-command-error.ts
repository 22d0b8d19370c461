import { TowtankError } from './towtank-error.ts';

export interface KernelCommandFailure {
  /** The command line, words joined by spaces. */
  readonly command: string;
  /** Name of the network namespace it ran in; undefined for the sandbox's own. */
  readonly netns: string | undefined;
  /** Exit status, or undefined when a signal ended it or it never started. */
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A program that speaks to the kernel (iptables-restore, nft, conntrack, ip) failed. */
export class KernelCommandError extends TowtankError {
  readonly command: string;
  readonly netns: string | undefined;
  readonly exitCode: number | undefined;
  readonly stderr: string;
  constructor(failure: KernelCommandFailure) {
    const where = failure.netns === undefined ? '' : ` in ${failure.netns}`;
    const how = failure.exitCode === undefined ? 'did not run' : `exited ${failure.exitCode}`;
    super({
      code: 'ERR_KERNEL_COMMAND',
      message: `${failure.command}${where} ${how}: ${failure.stderr.trim() || 'no output'}`,
      hint: failure.hint,
      cause: failure.cause,
    });
    this.command = failure.command;
    this.netns = failure.netns;
    this.exitCode = failure.exitCode;
    this.stderr = failure.stderr;
  }
}
