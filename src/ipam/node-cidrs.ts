import { UserError } from '../errors/towtank-error.ts';
import { type CIDR, parseCIDR, printCIDR, subnetAt, subnetCount } from './cidr.ts';

/** The cluster's pod range of one family and how long the prefix of each node's share is. */
export interface NodeCIDRRange {
  readonly cidr: CIDR;
  readonly nodePrefixLength: number;
}

export interface NodeCIDRRangeOptions {
  /** Default 24 for IPv4 and 64 for IPv6, as kube-controller-manager. */
  readonly nodePrefixLength?: number | undefined;
}

/** Parses a pod range such as `10.244.0.0/16`; throws UserError when a node's share does not fit into it. */
export function parseNodeCIDRRange(text: string, { nodePrefixLength }: NodeCIDRRangeOptions = {}): NodeCIDRRange {
  const cidr = parseCIDR(text);
  const length = nodePrefixLength ?? (cidr.family === 'IPv4' ? 24 : 64);
  if (length < cidr.prefixLength || length > (cidr.family === 'IPv4' ? 30 : 126)) {
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `a node's share /${length} does not fit into the pod range ${text}`,
      hint: 'make the pod range larger (a smaller number after the slash)',
    });
  }
  return { cidr, nodePrefixLength: length };
}

/** Share number `index`, in text. Throws UserError ERR_RANGE_FULL. */
export function nodeCIDRAt({ cidr, nodePrefixLength }: NodeCIDRRange, index: number): string {
  return printCIDR(subnetAt(cidr, nodePrefixLength, index));
}

/** The lowest share for which `isFree` holds, in text; undefined when there is none left. */
export function pickNodeCIDR(range: NodeCIDRRange, isFree: (cidr: string) => boolean): string | undefined {
  const count = subnetCount(range.cidr, range.nodePrefixLength);
  for (let index = 0n; index < count; index++) {
    const share = printCIDR(subnetAt(range.cidr, range.nodePrefixLength, index));
    if (isFree(share)) return share;
  }
  return undefined;
}
