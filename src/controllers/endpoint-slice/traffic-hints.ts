import type { Endpoint, EndpointHints, Service } from '../../kube/generated/types.ts';

const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];

/** Endpoints with the hints of the Service's trafficDistribution: where each would rather be used from. */
export function withTrafficHints({ spec }: Service, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const { trafficDistribution = '' } = spec ?? {};
  if (!DISTRIBUTIONS.includes(trafficDistribution)) return endpoints;
  return endpoints.map((endpoint) => {
    if (!endpoint.conditions?.ready) return endpoint;
    const hints = hintsFor(endpoint, trafficDistribution === 'PreferSameNode');
    return hints === undefined ? endpoint : { ...endpoint, hints };
  });
}

function hintsFor({ zone, nodeName }: Endpoint, sameNode: boolean): EndpointHints | undefined {
  const forNodes = sameNode && nodeName !== undefined ? { forNodes: [{ name: nodeName }] } : undefined;
  const forZones = zone === undefined ? undefined : { forZones: [{ name: zone }] };
  return forNodes || forZones ? { ...forNodes, ...forZones } : undefined;
}
