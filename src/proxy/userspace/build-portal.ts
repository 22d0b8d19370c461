import { joinHostPort } from '../../netfilter/address.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { listenerId } from './build-listeners.ts';
import type { Audience, ListenAddress } from './listener.ts';

/**
 * What the rules of a ServicePort are built from in userspace mode: the same ServicePort, but its endpoints are the
 * listeners. So all that rules decide (policies, source ranges, who is refused and who is dropped) is decided by the rules of the
 * kernel modes, and all that endpoints are chosen by is left to the proxy.
 */
export function buildPortal(
  { port, endpoints }: SelectedPort,
  node: NodeNetwork,
  listeners: ReadonlyMap<string, ListenAddress>,
): SelectedPort {
  if (port.protocol === 'sctp') return { port, endpoints };
  const listenerOf = (audience: Audience, list: readonly Endpoint[]): readonly Endpoint[] => {
    const address = listeners.get(listenerId(node, port.key, audience));
    return address === undefined || list.length === 0 ? [] : [asEndpoint(address, node)];
  };
  const cluster = listenerOf('cluster', endpoints.cluster);
  const local = listenerOf('local', endpoints.local);
  const reachable = [...cluster, ...local];
  return {
    port: { ...port, affinitySeconds: 0 },
    endpoints: { cluster, local, reachable, hasAny: endpoints.hasAny, total: reachable.length },
  };
}

function asEndpoint({ host, port }: ListenAddress, node: NodeNetwork): Endpoint {
  return {
    ip: host,
    port,
    address: joinHostPort(host, port),
    nodeName: node.nodeName,
    ready: true,
    serving: true,
    terminating: false,
    zoneHints: [],
    nodeHints: [],
  };
}
