import { canonicalAddress } from '../../ipam/address.ts';
import type { Container, Pod, Service, ServicePort } from '../../kube/generated/types.ts';
import { isPodFinished } from './pod-facts.ts';

/** True when the Service's endpoints are the business of controllers: it selects pods and is no mere name. */
export function selectsPods({ spec }: Service): boolean {
  return spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;
}

/** True when the pod is an endpoint of Services that select it: it has an address and has not ended. */
export function isEndpoint(pod: Pod): boolean {
  return !isPodFinished(pod) && podIPsOf(pod).length > 0;
}

/** The pod's addresses in canonical text. */
export function podIPsOf({ status }: Pod): readonly string[] {
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);
  return ips.map((ip) => canonicalAddress(ip)).filter((ip) => ip !== undefined);
}

/** The container port that a Service port leads to; undefined when the pod has no port of the targetPort's name and protocol. */
export function targetPortOf(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target;
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = namedPort(container, target, port.protocol ?? 'TCP');
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The host name under which the pod stands in the DNS of this Service, if it has one. */
export function endpointHostname(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  return hostname && subdomain === service.metadata?.name ? hostname : undefined;
}

function namedPort({ ports = [] }: Container, name: string, protocol: string): number | undefined {
  return ports.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}
