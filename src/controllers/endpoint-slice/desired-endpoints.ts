import { familyOf } from '../../ipam/address.ts';
import type { Endpoint, EndpointSlicePort, Node, Pod, Service } from '../../kube/generated/types.ts';
import { isPodReady, isPodTerminating } from '../pods/pod-facts.ts';
import { endpointHostname, isEndpoint, podAddressesOf, targetPortOf } from '../pods/service-endpoints.ts';

/** Endpoints that share their ports, and so may share slices. */
export interface EndpointGroup {
  readonly ports: readonly EndpointSlicePort[];
  readonly endpoints: readonly Endpoint[];
}

export interface EndpointFacts {
  readonly service: Service;
  /** Those that the Service selects. */
  readonly pods: readonly Pod[];
  readonly nodeOf: (name: string) => Node | undefined;
}

/** Address families of a Service's slices: those of the Service. */
export function addressTypesOf({ spec }: Service): readonly string[] {
  if (spec?.ipFamilies?.length) return spec.ipFamilies;
  const family = familyOf(spec?.clusterIP ?? '');
  return family === undefined ? ['IPv4', 'IPv6'] : [family];
}

/** What the slices of one address family have to hold, in groups by port. */
export function desiredEndpoints(facts: EndpointFacts, addressType: string): readonly EndpointGroup[] {
  const groups = new Map<string, { readonly ports: readonly EndpointSlicePort[]; readonly endpoints: Endpoint[] }>();
  for (const pod of facts.pods) {
    const { endpoint, ports, key } = memberOf(pod, facts, addressType);
    if (endpoint === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ports, endpoints: [endpoint] });
    else group.endpoints.push(endpoint);
  }
  return [...groups.values()];
}

/** What a pod adds to the slices of a Service and one address family. */
interface Member {
  readonly node: Node | undefined;
  readonly endpoint: Endpoint | undefined;
  readonly ports: readonly EndpointSlicePort[];
  readonly key: string;
}

// A pod of a large Service is looked at again whenever any other of its pods changes; none of the objects ever does.
const members = new WeakMap<Service, Map<string, WeakMap<Pod, Member>>>();

function memberOf(pod: Pod, facts: EndpointFacts, addressType: string): Member {
  const { service, nodeOf } = facts;
  const byType = members.get(service) ?? new Map<string, WeakMap<Pod, Member>>();
  members.set(service, byType);
  const known = byType.get(addressType) ?? new WeakMap<Pod, Member>();
  byType.set(addressType, known);
  const node = pod.spec?.nodeName ? nodeOf(pod.spec.nodeName) : undefined;
  const found = known.get(pod);
  if (found !== undefined && found.node === node) return found;
  const endpoint = isEndpoint(pod) ? endpointOf(pod, { service, node }, addressType) : undefined;
  const ports = endpoint === undefined ? [] : portsOf(service, pod);
  const member = { node, endpoint, ports, key: portsKey(ports) };
  known.set(pod, member);
  return member;
}

/** Equal for lists with the same ports in any order. */
export function portsKey(ports: readonly EndpointSlicePort[]): string {
  return ports
    .map(({ name, port, protocol, appProtocol }) =>
      [name ?? '', protocol ?? 'TCP', port ?? '', appProtocol ?? ''].join(' '),
    )
    .sort()
    .join('\n');
}

function portsOf({ spec }: Service, pod: Pod): readonly EndpointSlicePort[] {
  return (spec?.ports ?? []).flatMap((servicePort) => {
    const port = targetPortOf(pod, servicePort);
    if (port === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    return [{ name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

function endpointOf(
  pod: Pod,
  { service, node }: { readonly service: Service; readonly node: Node | undefined },
  addressType: string,
): Endpoint | undefined {
  const addresses = podAddressesOf(pod).flatMap(({ ip, family }) => (family === addressType ? [ip] : []));
  if (addresses.length === 0) return undefined;
  const nodeName = pod.spec?.nodeName;
  const publishAll = service.spec?.publishNotReadyAddresses ?? false;
  // A pod of a node that does not exist (any more) is left out until the node comes or the pod goes.
  if (node === undefined && !publishAll) return undefined;
  const serving = isPodReady(pod);
  const terminating = isPodTerminating(pod);
  const zone = node?.metadata?.labels?.['topology.kubernetes.io/zone'];
  const hostname = endpointHostname(pod, service);
  const { namespace, name, uid } = pod.metadata ?? {};
  return {
    addresses,
    conditions: { ready: publishAll || (serving && !terminating), serving, terminating },
    ...(hostname ? { hostname } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
  };
}
