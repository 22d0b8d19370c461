import type { Endpoint } from '../facts/endpoint.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { Audience, Listener } from './listener.ts';

/**
 * The listeners that a ServicePort needs on a node: one for each list of endpoints that is not empty. None for SCTP, which
 * stays with the kernel.
 */
export function buildListeners({ port, endpoints }: SelectedPort, node: NodeNetwork): Listener[] {
  const { protocol } = port;
  if (protocol === 'sctp') return [];
  const build = (audience: Audience, list: readonly Endpoint[]): Listener => ({
    id: listenerId(node, port.key, audience),
    node: node.nodeName,
    family: node.family,
    protocol,
    key: port.key,
    service: port.text,
    destination: { host: port.clusterIP, port: port.port },
    policy: {
      // Nothing else of an endpoint crosses over to the threads.
      targets: list.map(({ ip, port: number, address }) => ({ ip, port: number, address })),
      balancing: port.balancing ?? node.balancing,
      affinitySeconds: port.affinitySeconds,
      proxyProtocol: protocol === 'tcp' && port.proxyProtocol === true,
    },
  });
  return [
    ...(endpoints.cluster.length > 0 ? [build('cluster', endpoints.cluster)] : []),
    ...(endpoints.local.length > 0 ? [build('local', endpoints.local)] : []),
  ];
}

/** Name of a listener, unique among all nodes and families. */
export function listenerId({ nodeName, family }: NodeNetwork, key: string, audience: Audience): string {
  return `${nodeName} ${family} ${key} ${audience}`;
}
