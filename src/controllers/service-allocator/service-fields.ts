import type { Service, ServiceSpec } from '../../kube/generated/types.ts';

/** The spec of a Service; one without a spec counts as one without ports. */
export function specOf(service: Service | undefined): ServiceSpec {
  return service?.spec ?? {};
}

/** True for the types that get a cluster IP (or None). */
export function needsClusterIP({ type }: ServiceSpec): boolean {
  return type !== 'ExternalName';
}

/** True for the types that may have node ports. */
export function needsNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

/** True when every node answers health checks of a load balancer for this Service. */
export function needsHealthCheckNodePort({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
}

/** True when missing node ports are to be filled in. */
export function allocatesNodePorts({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false);
}

/** True for clusterIP None. */
export function isHeadless({ clusterIP, clusterIPs }: ServiceSpec): boolean {
  return (clusterIPs?.[0] ?? clusterIP) === 'None';
}

/** True for a headless Service whose endpoints are somebody else's business: its families are not bound to the cluster's. */
export function isHeadlessWithoutSelector(spec: ServiceSpec): boolean {
  return isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
}

/** The node ports that stand in the spec, each once. */
export function nodePortsOf({ ports = [] }: ServiceSpec): ReadonlySet<number> {
  return new Set(ports.map(({ nodePort }) => nodePort ?? 0).filter((port) => port !== 0));
}

/** A copy without these fields. */
export function without(spec: ServiceSpec, fields: readonly (keyof ServiceSpec)[]): ServiceSpec {
  const copy = { ...spec };
  for (const field of fields) delete copy[field];
  return copy;
}

/** Element by element equality; a missing list equals an empty one. */
export function sameList(a: readonly unknown[] = [], b: readonly unknown[] = []): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
