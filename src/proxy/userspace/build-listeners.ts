import { parsePrefix, prefixContains } from '../../netfilter/address.ts';
import { type Endpoint, isLocal } from '../facts/endpoint.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { Audience, Listener, Target } from './listener.ts';

export interface ListenerOptions {
  /** Endpoints of this node can be reached from clients' own addresses. */
  readonly canPreserve?: boolean;
  /** Prefixes whose hosts reach each other without this node. */
  readonly onLink?: readonly string[];
}

/**
 * The listeners that a ServicePort needs on a node: one for each list of endpoints that is not empty. None for SCTP, which
 * stays with the kernel.
 */
export function buildListeners(
  { port, endpoints }: SelectedPort,
  node: NodeNetwork,
  { canPreserve = false, onLink = [] }: ListenerOptions = {},
): Listener[] {
  const { protocol } = port;
  if (protocol === 'sctp') return [];
  const preserves = canPreserve && protocol === 'tcp' && port.preservesClient === true;
  const build = (audience: Audience, list: readonly Endpoint[]): Listener => ({
    id: listenerId(node, port.key, audience),
    node: node.nodeName,
    family: node.family,
    protocol,
    key: port.key,
    service: port.text,
    destination: { host: port.clusterIP, port: port.port },
    policy: {
      targets: list.map((endpoint) => ({
        // Nothing else of an endpoint crosses over to the threads.
        ip: endpoint.ip,
        port: endpoint.port,
        address: endpoint.address,
        ...(preserves && canAnswerClient(endpoint, node) && asClient(endpoint, onLink)),
      })),
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

// Replies of others do not come back here; those of the node itself do not pass the rules.
function canAnswerClient(endpoint: Endpoint, { nodeName, nodeIP }: NodeNetwork): boolean {
  return isLocal(endpoint, nodeName) && endpoint.ip !== nodeIP;
}

function asClient({ ip }: Endpoint, prefixes: readonly string[]): Pick<Target, 'asClient' | 'neighbours'> {
  const neighbours = prefixes
    .map((text) => ({ text, prefix: parsePrefix(text) }))
    .filter(({ prefix }) => prefix !== undefined && prefixContains(prefix, ip))
    .sort((a, b) => b.prefix!.length - a.prefix!.length)[0]?.text;
  return { asClient: true, neighbours };
}
