import type { ConntrackFlow } from '../../netfilter/runner.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';

/**
 * The UDP flows to addresses of these ServicePorts that do not lead to their listeners of now: to a listener that is closed, or
 * past the proxy because there was none. Their next datagram finds its way by the rules again.
 */
export function stalePortalFlows(
  flows: readonly ConntrackFlow[],
  portals: Iterable<SelectedPort>,
): readonly ConntrackFlow[] {
  const listeners = new Map<string, ReadonlySet<string>>();
  for (const { port, endpoints } of portals) {
    if (port.protocol !== 'udp') continue;
    const present = new Set(endpoints.reachable.map((endpoint) => `${endpoint.ip} ${endpoint.port}`));
    for (const ip of [port.clusterIP, ...port.externalIPs, ...port.loadBalancerVIPs]) {
      listeners.set(`${ip} ${port.port}`, present);
    }
    if (port.nodePort !== 0) listeners.set(`* ${port.nodePort}`, present);
  }
  return flows.filter(({ protocol, original, reply }) => {
    if (protocol !== 'udp') return false;
    const { destination, destinationPort } = original;
    const present = listeners.get(`${destination} ${destinationPort}`) ?? listeners.get(`* ${destinationPort}`);
    return present !== undefined && !present.has(`${reply.source} ${reply.sourcePort}`);
  });
}
