import { canonicalAddress, familyOf, parsePrefix, prefixContains } from '../address.ts';
import type { Family } from '../runner.ts';

/** The first packet of a connection, or a later one, as it meets a host. Addresses are canonical text. */
export interface Packet {
  readonly source: string;
  readonly destination: string;
  /** tcp, udp, sctp, icmp... */
  readonly protocol: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** `network`: it comes in through an interface (from a pod or from outside); `host`: a process of the host sends it. */
  readonly from: 'network' | 'host';
  /** Through which it comes in; '' when not known. */
  readonly inInterface?: string | undefined;
  /** Default: new. */
  readonly conntrackState?: ConntrackState | undefined;
  /** Default: 0. */
  readonly mark?: number | undefined;
}

export type ConntrackState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

/** The host whose rules the packet meets. */
export interface Host {
  /** Addresses of its interfaces. 127.0.0.0/8 and ::1 are local on every host. */
  readonly localAddresses: readonly string[];
  /** Clients that session affinity remembers, by set (nftables) or list (iptables `recent`). */
  readonly remembered?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
}

/** Family of the packet's addresses. Throws RangeError when the destination is no address. */
export function familyOfPacket({ destination }: Packet): Family {
  const family = familyOf(destination);
  if (family === undefined) throw new RangeError(`not an IP address: ${destination}`);
  return family;
}

const loopback = parsePrefix('127.0.0.0/8');

/** True for addresses that the host answers for itself. */
export function isLocalAddress(host: Host, address: string): boolean {
  if (address === '::1' || (loopback !== undefined && prefixContains(loopback, address))) return true;
  return host.localAddresses.some((local) => local === address || canonicalAddress(local) === address);
}

/** The kernel's type of an address, as far as rules ask for it. */
export function addressType(host: Host, address: string): 'local' | 'unicast' | 'multicast' | 'broadcast' {
  if (isLocalAddress(host, address)) return 'local';
  if (address === '255.255.255.255') return 'broadcast';
  const isMulticast = address.startsWith('ff') || /^2(2[4-9]|3\d)\./.test(address);
  return isMulticast ? 'multicast' : 'unicast';
}
