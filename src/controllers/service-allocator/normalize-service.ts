import type { ServicePort, ServiceSpec } from '../../kube/generated/types.ts';
import {
  needsClusterIP,
  needsHealthCheckNodePort,
  needsNodePorts,
  nodePortsOf,
  sameList,
  without,
} from './service-fields.ts';

/**
 * What a client meant by a spec, before anything is allocated: the spec of a creation when `previous` is undefined.
 * A client that sends an older or a shorter form of what it read keeps its addresses and ports; a change of type takes
 * away what the new type cannot have, unless the client changed that too (which validation then refuses).
 */
export function normalizeService(spec: ServiceSpec, previous: ServiceSpec | undefined): ServiceSpec {
  if (previous === undefined) return withPluralClusterIPs(spec);
  const dropped = dropFieldsOfOldType(spec, previous);
  return syncClusterIPs(keepAllocated(dropped, previous), previous);
}

function withPluralClusterIPs(spec: ServiceSpec): ServiceSpec {
  return spec.clusterIP && !spec.clusterIPs?.length ? { ...spec, clusterIPs: [spec.clusterIP] } : spec;
}

function keepAllocated(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  let kept = spec;
  if (needsClusterIP(previous) && needsClusterIP(spec)) {
    if (!kept.clusterIP && previous.clusterIP) kept = { ...kept, clusterIP: previous.clusterIP };
    if (!kept.clusterIPs?.length && previous.clusterIPs?.length) kept = { ...kept, clusterIPs: previous.clusterIPs };
  }
  if (needsNodePorts(previous) && needsNodePorts(spec)) kept = { ...kept, ports: keepNodePorts(kept, previous) };
  if (needsHealthCheckNodePort(previous) && needsHealthCheckNodePort(spec) && !spec.healthCheckNodePort) {
    kept = { ...kept, healthCheckNodePort: previous.healthCheckNodePort };
  }
  return kept;
}

// Ports are recognised by name. A number that the client gave to another port cannot be kept.
function keepNodePorts(spec: ServiceSpec, previous: ServiceSpec): readonly ServicePort[] {
  const given = nodePortsOf(spec);
  const byName = new Map((previous.ports ?? []).map(({ name = '', nodePort }) => [name, nodePort ?? 0]));
  return (spec.ports ?? []).map((port) => {
    const old = port.nodePort ? 0 : (byName.get(port.name ?? '') ?? 0);
    return old === 0 || given.has(old) ? port : { ...port, nodePort: old };
  });
}

function syncClusterIPs(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  if (spec.clusterIP === previous.clusterIP || !sameList(spec.clusterIPs, previous.clusterIPs)) {
    return previous.clusterIPs?.length ? spec : withPluralClusterIPs(spec);
  }
  return spec.clusterIP ? { ...spec, clusterIPs: [spec.clusterIP] } : without(spec, ['clusterIPs']);
}

function dropFieldsOfOldType(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  const drop: (keyof ServiceSpec)[] = [];
  const dropSame = (...fields: readonly (keyof ServiceSpec)[]): void => {
    for (const field of fields) if (spec[field] === previous[field]) drop.push(field);
  };
  if (needsClusterIP(previous) && !needsClusterIP(spec)) {
    if (sameList(spec.clusterIPs, previous.clusterIPs)) drop.push('clusterIP', 'clusterIPs');
    if (sameList(spec.ipFamilies, previous.ipFamilies)) drop.push('ipFamilies');
    dropSame('ipFamilyPolicy', 'internalTrafficPolicy');
  }
  if (needsHealthCheckNodePort(previous) && !needsHealthCheckNodePort(spec)) dropSame('healthCheckNodePort');
  if (previous.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    dropSame('allocateLoadBalancerNodePorts', 'loadBalancerClass');
  }
  if (hasExternalTrafficPolicy(previous) && !hasExternalTrafficPolicy(spec)) dropSame('externalTrafficPolicy');
  const rest = drop.length === 0 ? spec : without(spec, drop);
  const loses = needsNodePorts(previous) && !needsNodePorts(spec) && sameNodePorts(spec, previous);
  return loses ? { ...rest, ports: (rest.ports ?? []).map(withoutNodePort) } : rest;
}

function hasExternalTrafficPolicy(spec: ServiceSpec): boolean {
  return needsNodePorts(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
}

// Given numbers count as unchanged when each stood in the old spec: a client that drops a port did not change the others.
function sameNodePorts(spec: ServiceSpec, previous: ServiceSpec): boolean {
  const old = nodePortsOf(previous);
  return [...nodePortsOf(spec)].every((port) => old.has(port));
}

function withoutNodePort(port: ServicePort): ServicePort {
  const { nodePort: _dropped, ...rest } = port;
  return rest;
}
