import { withoutPrefixLength } from '../ffi/ip-bytes.ts';
import type { LinkOperation } from '../netlink/operations.ts';
import { hostPrefix, isV6 } from './addresses.ts';

/**
 * What lets a link receive packets to a new address from now on, with or without prefix length. The kernel makes an IPv6 address
 * receive in its own time, in a work queue that a busy machine may keep waiting for long, even without duplicate address
 * detection; the route that it adds then is added here now.
 */
export function receiveAtOnce(link: string, address: string): LinkOperation[] {
  if (!isV6(address)) return [];
  const destination = hostPrefix(withoutPrefixLength(address));
  return [{ kind: 'replaceRoute', destination, link, type: 'local' }];
}
