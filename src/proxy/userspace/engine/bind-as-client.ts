import type { Candidate } from '../balancer.ts';
import { canPassAsClient } from '../can-pass-as-client.ts';
import { encodeSocketAddress, type PackedAddress, unpackSocketAddress } from '../socket-address.ts';
import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_TRANSPARENT,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_TRANSPARENT,
  ONE,
} from './constants.ts';
import type { Engine } from './engine.ts';
import { check } from './engine-error.ts';

/**
 * Gives a socket that is about to be connected the client's own address, and its port where that is free. Where it cannot be had the
 * connection comes from the node's, and the reason is reported.
 */
export function bindAsClient(
  engine: Engine,
  fd: number,
  { client, endpoint }: { readonly client: PackedAddress; readonly endpoint: Candidate },
): void {
  const { system } = engine;
  const { host, port } = unpackSocketAddress(client);
  if (!canPassAsClient(host, endpoint)) return;
  const [level, option] = host.includes(':') ? [IPPROTO_IPV6, IPV6_TRANSPARENT] : [IPPROTO_IP, IP_TRANSPARENT];
  const bind = (number: number): number => {
    const address = encodeSocketAddress({ host, port: number });
    return system.bind(fd, address, address.length);
  };
  try {
    check(system, 'setsockopt', system.setsockopt(fd, level, option, ONE, ONE.length));
    if (bind(port) === 0) return;
    // The kernel chooses a port when the endpoint is known: the same one may serve for many endpoints.
    check(system, 'setsockopt', system.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, ONE, ONE.length));
    check(system, 'bind', bind(0));
  } catch (error) {
    engine.report(error);
  }
}
