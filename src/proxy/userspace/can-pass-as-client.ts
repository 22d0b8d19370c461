import { parsePrefix, prefixContains } from '../../netfilter/address.ts';
import type { Target } from './listener.ts';

/**
 * Tells whether the replies of an endpoint to this client would come back here, and the endpoint take packets from it: not from its own
 * address, as when a pod reaches itself through its Service, not from a loopback one, and not from a neighbour that it answers directly.
 */
export function canPassAsClient(
  client: string,
  { ip, asClient, neighbours }: Omit<Target, 'address' | 'port'>,
): boolean {
  if (asClient !== true || client === ip || client === '::1' || client.startsWith('127.')) return false;
  const prefix = neighbours === undefined ? undefined : parsePrefix(neighbours);
  return prefix === undefined || !prefixContains(prefix, client);
}
