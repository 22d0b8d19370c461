import type { Balancer } from '../balancer.ts';
import type { MovedClient } from '../movable-transport.ts';
import { unpackClient } from '../socket-address.ts';

/** The clients with session affinity that a balancer knows, as another process can take them over. */
export function knownClients(balancer: Balancer, now: number): readonly MovedClient[] {
  return Array.from(balancer.clients(now), ([client, endpoint, forMs]) => [unpackClient(client), endpoint, forMs]);
}
