import type { ConntrackFlow } from '../../netfilter/runner.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { ServicePort } from '../facts/service-port.ts';

/** A UDP ServicePort and all endpoints known of it. */
export interface UdpPort {
  readonly port: ServicePort;
  readonly endpoints: readonly Endpoint[];
}

/**
 * The UDP flows that no longer lead where the rules would lead them, as kube-proxy's reconciler since 1.32: their original
 * destination belongs to a ServicePort with endpoints, their reply does not come from one that serves. Flows of a
 * ServicePort without endpoints, and of TCP and SCTP, are left alone.
 */
export function staleFlows(flows: readonly ConntrackFlow[], udpPorts: Iterable<UdpPort>): ConntrackFlow[] {
  const serving = new Map<string, ReadonlySet<string>>();
  for (const { port, endpoints } of udpPorts) {
    if (port.protocol !== 'udp' || endpoints.length === 0) continue;
    const sources = new Set(endpoints.filter((endpoint) => endpoint.serving).map(({ ip }) => ip));
    for (const ip of [port.clusterIP, ...port.externalIPs, ...port.loadBalancerVIPs])
      serving.set(`${ip} ${port.port}`, sources);
    if (port.nodePort !== 0) serving.set(`* ${port.nodePort}`, sources);
  }
  return flows.filter(({ protocol, original, reply }) => {
    if (protocol !== 'udp') return false;
    const { destination, destinationPort } = original;
    const sources = serving.get(`${destination} ${destinationPort}`) ?? serving.get(`* ${destinationPort}`);
    return sources !== undefined && !sources.has(reply.source);
  });
}
