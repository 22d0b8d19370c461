import { ipBytes, macBytes, withoutPrefixLength } from '../ffi/ip-bytes.ts';

/** MAC of the node's end of every ptp pod's link, as Calico has it: each link is a network of its own. */
export const ptpGatewayMac = 'ee:ee:ee:ee:ee:ee';

/** MAC of a node or client, derived from its address as Docker does: `172.18.0.2` has `02:42:ac:12:00:02`. */
export function nodeMac(address: string): string {
  return macOf('02:42', address);
}

/** MAC of a pod, derived from its address as the CNI plugins do: `10.244.1.5` has `0a:58:0a:f4:01:05`. */
export function podMac(address: string): string {
  return macOf('0a:58', address);
}

// The last four bytes: an IPv4 address whole, and the part of an IPv6 address that differs between neighbours.
function macOf(prefix: string, address: string): string {
  const tail = ipBytes(withoutPrefixLength(address)).subarray(-4);
  return [prefix, ...Array.from(tail, (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/** The link-local IPv6 address that a link with this MAC would give itself (RFC 4291, appendix A), with prefix length. */
export function linkLocalAddress(mac: string): string {
  const [a = 0, b, c, d, e, f] = macBytes(mac);
  const groups = [
    [a ^ 2, b],
    [c, 0xff],
    [0xfe, d],
    [e, f],
  ] as const;
  return `fe80::${groups.map(([high = 0, low = 0]) => ((high << 8) | low).toString(16)).join(':')}/64`;
}
