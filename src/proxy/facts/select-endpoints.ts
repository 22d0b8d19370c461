import { type Endpoint, isLocal, isServingTerminating } from './endpoint.ts';
import type { NodeNetwork } from './node-network.ts';
import type { ServicePort } from './service-port.ts';

/** Which endpoints a node uses for a ServicePort. Lists keep the order of addresses. */
export interface EndpointSelection {
  /** For traffic with policy Cluster; empty when the ServicePort never has such traffic. */
  readonly cluster: readonly Endpoint[];
  /** For traffic with policy Local; empty when the ServicePort never has such traffic or none is here. */
  readonly local: readonly Endpoint[];
  /** Both together: every endpoint that a packet may reach through this node. */
  readonly reachable: readonly Endpoint[];
  /** Something usable exists anywhere: decides reject (nothing) or drop (nothing here). */
  readonly hasAny: boolean;
  /** How many endpoints the ServicePort has, usable or not: what decides about the large-cluster mode. */
  readonly total: number;
}

/** A ServicePort with the endpoints that this node uses for it: the unit that rules are built from. */
export interface SelectedPort {
  readonly port: ServicePort;
  readonly endpoints: EndpointSelection;
}

/** What selection looks at besides the endpoints. */
export type SelectingNode = Pick<
  NodeNetwork,
  'nodeName' | 'zone' | 'serviceTrafficDistribution' | 'preferSameTrafficDistribution'
>;

const NONE: readonly Endpoint[] = [];

/** Endpoints for traffic to the cluster IP. */
export function internalEndpoints({ port, endpoints }: SelectedPort): readonly Endpoint[] {
  return port.internalPolicyLocal ? endpoints.local : endpoints.cluster;
}

/** Endpoints for traffic from outside to node port, external IP or load balancer address. */
export function externalEndpoints({ port, endpoints }: SelectedPort): readonly Endpoint[] {
  return port.externalPolicyLocal ? endpoints.local : endpoints.cluster;
}

/** True when the selection is the same for every node, so that many proxies may share it. */
export function isNodeIndependent(port: ServicePort, endpoints: readonly Endpoint[]): boolean {
  if (port.usesLocalEndpoints) return false;
  return endpoints.every(
    (endpoint, index) =>
      endpoint.zoneHints.length === 0 &&
      endpoint.nodeHints.length === 0 &&
      endpoint.address !== endpoints[index + 1]?.address,
  );
}

/**
 * Selects endpoints as kube-proxy's CategorizeEndpoints: policies fall back to serving terminating endpoints
 * independently, topology hints narrow the cluster list only. `endpoints` is sorted by address.
 */
export function selectEndpoints(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  node: SelectingNode,
): EndpointSelection {
  const unique = preferLocalDuplicate(endpoints, node.nodeName);
  const allReady = unique.every((endpoint) => endpoint.ready);
  const ready = allReady ? unique : unique.filter((endpoint) => endpoint.ready);
  const leaving = allReady ? NONE : unique.filter(isServingTerminating);
  const cluster = port.usesClusterEndpoints ? selectCluster(port, ready, leaving, node) : NONE;
  const local = port.usesLocalEndpoints ? selectLocal(ready, leaving, node.nodeName) : NONE;
  return {
    cluster,
    local,
    reachable: union(unique, cluster, local),
    hasAny: ready.length > 0 || leaving.length > 0,
    total: unique.length,
  };
}

function selectCluster(
  port: ServicePort,
  ready: readonly Endpoint[],
  leaving: readonly Endpoint[],
  node: SelectingNode,
): readonly Endpoint[] {
  return ready.length === 0 ? leaving : filterByTopology(port, ready, node);
}

function selectLocal(ready: readonly Endpoint[], leaving: readonly Endpoint[], nodeName: string): readonly Endpoint[] {
  const here = ready.filter((endpoint) => isLocal(endpoint, nodeName));
  return here.length > 0 ? here : leaving.filter((endpoint) => isLocal(endpoint, nodeName));
}

function filterByTopology(port: ServicePort, ready: readonly Endpoint[], node: SelectingNode): readonly Endpoint[] {
  if (!node.serviceTrafficDistribution && !annotationEnablesHints(port.hintsAnnotation)) return ready;
  const onNode = node.preferSameTrafficDistribution ? hintedFor(ready, 'nodeHints', node.nodeName) : undefined;
  return onNode ?? hintedFor(ready, 'zoneHints', node.zone) ?? ready;
}

function annotationEnablesHints(annotation: string): boolean {
  return annotation !== '' && annotation !== 'disabled' && annotation !== 'Disabled';
}

// One endpoint without hint, or no endpoint for this place, switches the step off.
function hintedFor(
  ready: readonly Endpoint[],
  hints: 'zoneHints' | 'nodeHints',
  place: string,
): readonly Endpoint[] | undefined {
  if (place === '' || ready.some((endpoint) => endpoint[hints].length === 0)) return undefined;
  const hinted = ready.filter((endpoint) => endpoint[hints].includes(place));
  return hinted.length > 0 ? hinted : undefined;
}

// Two slices may name one address; the entry on this node wins, else the first.
function preferLocalDuplicate(endpoints: readonly Endpoint[], nodeName: string): readonly Endpoint[] {
  if (!endpoints.some((endpoint, index) => endpoint.address === endpoints[index + 1]?.address)) return endpoints;
  const byAddress = new Map<string, Endpoint>();
  for (const endpoint of endpoints) {
    if (!byAddress.has(endpoint.address) || isLocal(endpoint, nodeName)) byAddress.set(endpoint.address, endpoint);
  }
  return [...byAddress.values()];
}

function union(
  all: readonly Endpoint[],
  cluster: readonly Endpoint[],
  local: readonly Endpoint[],
): readonly Endpoint[] {
  if (local.length === 0) return cluster;
  if (cluster.length === 0) return local;
  const wanted = new Set([...cluster, ...local]);
  return wanted.size === cluster.length ? cluster : all.filter((endpoint) => wanted.has(endpoint));
}
