import { TowtankError } from '../../errors/towtank-error.ts';
import { prefixBytes } from '../ffi/ip-bytes.ts';
import { isV6 } from './addresses.ts';
import type { NodePlan } from './plan.ts';

/** Throws ERR_INVALID_ADDRESS unless a machine's addresses are hosts and its ranges are prefixes, at most one per family each. */
export function checkPlan({ name, addresses, podCIDRs }: Pick<NodePlan, 'name' | 'addresses' | 'podCIDRs'>): void {
  for (const address of addresses) checkHost(address);
  for (const range of podCIDRs) prefixBytes(range);
  for (const list of [addresses, podCIDRs]) {
    if (new Set(list.map(isV6)).size < list.length) {
      throw invalid(`${name} has more than one of a family: ${list.join(', ')}`);
    }
  }
}

/** Throws ERR_INVALID_ADDRESS unless it is the address of one host, with or without a prefix length. */
export function checkHost(address: string): void {
  const { bytes } = prefixBytes(address);
  const first = bytes[0]!;
  const special = bytes.length === 4 ? first === 0 || first === 127 || first >= 224 : first === 0 || first === 0xff;
  if (special) throw invalid(`'${address}' is not the address of a machine on a network`);
}

function invalid(message: string): TowtankError {
  return new TowtankError({ code: 'ERR_INVALID_ADDRESS', message });
}
