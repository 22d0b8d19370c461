import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { TowtankError } from './towtank-error.ts';

export interface NetlinkFailure {
  /** The operation in words, such as `addRoute 10.244.1.0/24 via 172.18.0.3`. */
  readonly operation: string;
  /** Name of the network namespace it was meant for. */
  readonly netns: string;
  /** The positive errno of the kernel's answer. */
  readonly errno: number;
  /** The kernel's own words about it, when it sent any. */
  readonly explanation?: string | undefined;
}

/** The kernel refused a change of links, addresses, routes or neighbours. */
export class NetlinkError extends TowtankError {
  readonly operation: string;
  readonly netns: string;
  /** The errno by name, such as `EEXIST`. */
  readonly errno: string;
  constructor(failure: NetlinkFailure) {
    const errno = getSystemErrorName(-failure.errno);
    const words = failure.explanation ?? getSystemErrorMessage(-failure.errno);
    super({ code: 'ERR_NETLINK', message: `${failure.operation} in ${failure.netns} failed: ${words} (${errno})` });
    this.operation = failure.operation;
    this.netns = failure.netns;
    this.errno = errno;
  }
}
