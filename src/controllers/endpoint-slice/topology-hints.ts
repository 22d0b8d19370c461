import type { Endpoint, Node, Service } from '../../kube/generated/types.ts';
import { milliValueOf } from '../../kube/quantity.ts';
import { endpointIdentity } from './fill-slices.ts';

const ZONE = 'topology.kubernetes.io/zone';
/** A zone's endpoints may get this much more traffic than their fair share. */
const OVERLOAD = 0.2;

/** True when the Service asks for topology aware routing by annotation; the older key wins. */
export function wantsTopologyHints({ metadata }: Service): boolean {
  const annotations = metadata?.annotations ?? {};
  const mode =
    annotations['service.kubernetes.io/topology-aware-hints'] ?? annotations['service.kubernetes.io/topology-mode'];
  return mode === 'Auto' || mode === 'auto';
}

/** Hints at zones for each endpoint, or why there are none, in the endpoint slice controller's words. */
export type TopologyHints =
  | { readonly zoneOf: (endpoint: Endpoint) => string | undefined }
  | { readonly problem: string };

/**
 * Gives each ready endpoint a zone such that every zone has endpoints in proportion to the CPUs of its nodes: its own zone,
 * unless that has too many. All or nothing: when it cannot be done without overload nobody gets a hint.
 */
export function chooseTopologyHints(endpoints: readonly Endpoint[], nodes: readonly Node[]): TopologyHints {
  const ready = endpoints
    .filter(({ conditions }) => conditions?.ready)
    .sort((a, b) => (endpointIdentity(a) < endpointIdentity(b) ? -1 : 1));
  const ratios = cpuRatios(nodes);
  if (ratios === undefined)
    return { problem: 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes' };
  if (ratios.size < 2) return { problem: 'Nodes only ready in one zone' };
  if (ready.length < ratios.size) {
    return {
      problem: `Insufficient number of endpoints (${ready.length}), impossible to safely allocate proportionally`,
    };
  }
  if (ready.some(({ zone }) => zone === undefined || !ratios.has(zone))) {
    return { problem: 'One or more endpoints do not have a zone specified' };
  }
  const minimum = [...ratios.values()].reduce(
    (sum, ratio) => sum + Math.ceil((ratio * ready.length) / (1 + OVERLOAD)),
    0,
  );
  if (minimum > ready.length) {
    return {
      problem: 'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold',
    };
  }
  const zones = redistribute(ready, ratios);
  return { zoneOf: (endpoint) => zones.get(endpointIdentity(endpoint)) };
}

function cpuRatios(nodes: readonly Node[]): ReadonlyMap<string, number> | undefined {
  const usable = nodes.filter(({ metadata, status }) => {
    const controlPlane = 'node-role.kubernetes.io/control-plane' in (metadata?.labels ?? {});
    return !controlPlane && status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True');
  });
  const cpus = new Map<string, number>();
  for (const { metadata, status } of usable) {
    const zone = metadata?.labels?.[ZONE];
    const cpu = milliValueOf(status?.allocatable?.['cpu'] ?? '') ?? 0;
    if (!zone || cpu === 0) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu);
  }
  const total = [...cpus.values()].reduce((sum, cpu) => sum + cpu, 0);
  return new Map([...cpus].map(([zone, cpu]) => [zone, cpu / total]));
}

// One endpoint at a time from the zone that has most too many to the one that has most too few.
function redistribute(ready: readonly Endpoint[], ratios: ReadonlyMap<string, number>): ReadonlyMap<string, string> {
  const zones = new Map(ready.map((endpoint) => [endpointIdentity(endpoint), endpoint.zone ?? '']));
  const surplus = new Map(
    [...ratios].map(([zone, ratio]) => [
      zone,
      ready.filter((endpoint) => endpoint.zone === zone).length - ratio * ready.length,
    ]),
  );
  for (;;) {
    const byNeed = [...surplus].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    const [receiver, missing] = byNeed[0]!;
    const [giver, spare] = byNeed.at(-1)!;
    if (spare < 0.5 || -missing < 0.5 || (spare < 1 && -missing < 1)) return zones;
    const given = ready.find((endpoint) => zones.get(endpointIdentity(endpoint)) === giver);
    if (given === undefined) return zones;
    zones.set(endpointIdentity(given), receiver);
    surplus.set(giver, spare - 1);
    surplus.set(receiver, missing + 1);
  }
}
