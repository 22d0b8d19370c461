import { UserError } from '../errors/towtank-error.ts';
import { claimName } from '../kernel/claim-name.ts';

/** The name by which one loopback cluster of a network namespace has its resolver file. */
export const resolverName = 'towtank-resolver';

/**
 * Makes this process's cluster the only one of its network namespace, until it ends; false when another one is there. Throws
 * ERR_SYSCALL when the kernel refuses for another reason.
 */
export function claimNetwork(): boolean {
  return claimName('towtank') !== undefined;
}

/** The same; throws ERR_CLUSTER_EXISTS when there is another. */
export function requireNetwork(): void {
  if (claimNetwork()) return;
  throw new UserError({
    code: 'ERR_CLUSTER_EXISTS',
    message: 'another cluster uses this network namespace already, and this tier has room for one',
    hint: 'take it down with: towtank down --all',
  });
}
