import { TowtankError } from '../../errors/towtank-error.ts';
import type { Operation } from './transaction.ts';

export interface TransactionFailure {
  /** errno by name, such as `ENOENT`. */
  readonly errno: string;
  /** Words of the kernel or of the system about it. */
  readonly explanation: string;
  /** Which operation of the transaction the kernel refused; undefined when it refused the whole. */
  readonly index?: number | undefined;
  readonly operation?: Operation | undefined;
  readonly netns?: string | undefined;
  readonly cause?: unknown;
}

/** The kernel refused a transaction given as data; nothing of it was done. */
export class TransactionError extends TowtankError {
  readonly errno: string;
  readonly index: number | undefined;
  constructor({ errno, explanation, index, operation, netns, cause }: TransactionFailure) {
    const what = operation === undefined ? 'transaction' : subjectOf(operation);
    const where = netns === undefined ? '' : ` in ${netns}`;
    super({ code: 'ERR_NETLINK', message: `nftables ${what}${where} failed: ${explanation} (${errno})`, cause });
    this.errno = errno;
    this.index = index;
  }
}

function subjectOf(operation: Operation): string {
  switch (operation.kind) {
    case 'add-table':
    case 'delete-table':
      return operation.kind;
    case 'add-chain':
      return `${operation.kind} ${operation.chain.name}`;
    case 'flush-chain':
    case 'delete-chain':
    case 'add-rule':
    case 'insert-rules':
    case 'delete-rules-behind':
      return `${operation.kind} ${operation.chain}`;
    case 'delete-set':
      return `${operation.kind} ${operation.set}`;
    case 'add-set':
    case 'flush-set':
    case 'add-elements':
    case 'delete-elements':
      return `${operation.kind} ${operation.set.name}`;
  }
}
