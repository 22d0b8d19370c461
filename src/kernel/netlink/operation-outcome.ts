import { NetlinkError } from '../../errors/netlink-error.ts';
import { TowtankError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { describeOperation, type LinkOperation } from './operations.ts';

/** How the kernel refused an operation: the errno by number and, if known, its own words. */
export interface Refusal {
  readonly errno: number;
  readonly explanation: string | undefined;
}

const ENOENT = 2;
const ESRCH = 3;
const ENODEV = 19;
const EOPNOTSUPP = 95;
const EADDRNOTAVAIL = 99;
const absent = new Set([ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL]);

const kernelOptions = { addBridge: 'CONFIG_BRIDGE', addVeth: 'CONFIG_VETH', addVxlan: 'CONFIG_VXLAN' } as const;

/** Whether a refusal only says that what was to be deleted is not there. */
export function isAbsent(operation: LinkOperation, errno: number): boolean {
  return operation.kind.startsWith('delete') && absent.has(errno);
}

/** The error of a refused operation. */
export function refusalError(netns: NetworkNamespace, operation: LinkOperation, refusal: Refusal): TowtankError {
  const error = new NetlinkError({ operation: describeOperation(operation), netns: netns.name, ...refusal });
  if (refusal.errno !== EOPNOTSUPP || !(operation.kind in kernelOptions)) return error;
  const option = kernelOptions[operation.kind as keyof typeof kernelOptions];
  return new TowtankError({
    code: 'ERR_MISSING_KERNEL_FEATURE',
    message: `this kernel cannot make links of the kind that ${operation.kind} wants (${option})`,
    hint: `load the module on the host (modprobe ${option.slice(7).toLowerCase()}) or use a kernel built with ${option}; see towtank doctor`,
    cause: error,
  });
}
