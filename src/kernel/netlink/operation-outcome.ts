import { NetlinkError } from '../../errors/netlink-error.ts';
import { TowtankError, type TowtankErrorOptions } from '../../errors/towtank-error.ts';
import { EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, ENODEV, ENOENT, EOPNOTSUPP, ESRCH } from '../ffi/constants.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { describeOperation, type LinkOperation } from './operations.ts';

/** How the kernel refused an operation: the errno by number and, if known, its own words. */
export interface Refusal {
  readonly errno: number;
  readonly explanation: string | undefined;
}

const absent = new Set([ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL]);
// Switched off for a link, and not in the kernel at all.
const withoutIpv6 = new Set([EACCES, EOPNOTSUPP, EAFNOSUPPORT]);

const kernelOptions = { addBridge: 'CONFIG_BRIDGE', addVeth: 'CONFIG_VETH', addVxlan: 'CONFIG_VXLAN' } as const;

/** Whether a refusal only says that what was to be deleted is not there. */
export function isAbsent(operation: LinkOperation, errno: number): boolean {
  return operation.kind.startsWith('delete') && absent.has(errno);
}

/** The error of a refused operation. */
export function refusalError(netns: NetworkNamespace, operation: LinkOperation, refusal: Refusal): TowtankError {
  const error = new NetlinkError({ operation: describeOperation(operation), netns: netns.name, ...refusal });
  if (refusal.errno === EOPNOTSUPP && operation.kind in kernelOptions) {
    const option = kernelOptions[operation.kind as keyof typeof kernelOptions];
    return missingFeature({
      message: `this kernel cannot make links of the kind that ${operation.kind} wants (${option})`,
      hint: `load the module on the host (modprobe ${option.slice(7).toLowerCase()}) or use a kernel built with ${option}`,
      cause: error,
    });
  }
  if (withoutIpv6.has(refusal.errno) && usesIpv6(operation)) {
    return missingFeature({
      message: `IPv6 is switched off on this machine: ${error.message}`,
      hint: 'boot without ipv6.disable=1, set net.ipv6.conf.all.disable_ipv6=0, or make a cluster of IPv4 only',
      cause: error,
    });
  }
  return error;
}

function usesIpv6(operation: LinkOperation): boolean {
  const address = 'address' in operation ? operation.address : 'destination' in operation ? operation.destination : '';
  return address?.includes(':') === true;
}

function missingFeature(what: Pick<TowtankErrorOptions, 'message' | 'hint' | 'cause'>): TowtankError {
  return new TowtankError({ code: 'ERR_MISSING_KERNEL_FEATURE', ...what });
}
