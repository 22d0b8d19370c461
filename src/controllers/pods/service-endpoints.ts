import { type IPFamily, parseAddress, printAddress } from '../../ipam/address.ts';
import type { Container, Pod, Service, ServicePort } from '../../kube/generated/types.ts';
import { isPodFinished } from './pod-facts.ts';

export interface PodAddress {
  readonly ip: string;
  readonly family: IPFamily;
}

// A pod of a large Service is looked at again whenever any other of its pods changes; its object never does.
const addresses = new WeakMap<Pod, readonly PodAddress[]>();

/** True when the Service's endpoints are the business of controllers: it selects pods and is no mere name. */
export function selectsPods({ spec }: Service): boolean {
  return spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;
}

/** True when the pod is an endpoint of Services that select it: it has an address and has not ended. */
export function isEndpoint(pod: Pod): boolean {
  return !isPodFinished(pod) && podAddressesOf(pod).length > 0;
}

/** The pod's addresses in canonical text, with their families. */
export function podAddressesOf(pod: Pod): readonly PodAddress[] {
  const known = addresses.get(pod);
  if (known !== undefined) return known;
  const { podIPs, podIP } = pod.status ?? {};
  const ips = podIPs?.map(({ ip }) => ip) ?? (podIP ? [podIP] : []);
  const found = ips.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [{ ip: printAddress(address), family: address.family }];
  });
  addresses.set(pod, found);
  return found;
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
