import { familyOf } from '../../ipam/address.ts';
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service } from '../../kube/generated/types.ts';
import { isPodReady, isPodTerminating } from '../pods/pod-facts.ts';
import { endpointHostname, isEndpoint, podAddressesOf, targetPortOf } from '../pods/service-endpoints.ts';

type Ports = NonNullable<EndpointSubset['ports']>;

const HEADLESS = 'service.kubernetes.io/headless';
const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';
/** An Endpoints object holds no more addresses; the rest is left out and the object says so. */
const CAPACITY = 1000;

/** The Endpoints object of a Service and the pods it selects: addresses of its first family, grouped by port. */
export function buildEndpoints(service: Service, pods: readonly Pod[]): Endpoints {
  const { name, namespace, labels = {} } = service.metadata ?? {};
  const { clusterIP } = service.spec ?? {};
  const { [HEADLESS]: _headless, ...others } = labels;
  const { subsets, truncated } = truncate(buildSubsets(service, pods));
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      namespace,
      labels: {
        ...others,
        ...(!clusterIP || clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
        [MANAGED_BY]: 'endpoint-controller',
      },
      ...(truncated ? { annotations: { [OVER_CAPACITY]: 'truncated' } } : {}),
    },
    subsets,
  };
}

function buildSubsets(service: Service, pods: readonly Pod[]): readonly EndpointSubset[] {
  const subsets = new Map<
    string,
    { readonly ready: EndpointAddress[]; readonly notReady: EndpointAddress[]; readonly ports: Ports }
  >();
  for (const member of membersOf(service, pods)) {
    if (member === undefined) continue;
    const { key, ports, address, ready } = member;
    const subset = subsets.get(key) ?? { ready: [], notReady: [], ports };
    subsets.set(key, subset);
    (ready ? subset.ready : subset.notReady).push(address);
  }
  return [...subsets]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ready, notReady, ports }]) => ({
      ...(ready.length > 0 ? { addresses: ready.sort(byAddress) } : {}),
      ...(notReady.length > 0 ? { notReadyAddresses: notReady.sort(byAddress) } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    }));
}

/** What a pod adds to the Endpoints of a Service. */
interface Member {
  /** Equal for those of one subset. */
  readonly key: string;
  readonly ports: Ports;
  readonly address: EndpointAddress;
  readonly ready: boolean;
}

// A pod of a large Service is looked at again whenever any other of its pods changes; neither object ever does.
const members = new WeakMap<Service, WeakMap<Pod, Member | undefined>>();

function membersOf(service: Service, pods: readonly Pod[]): readonly (Member | undefined)[] {
  const known = members.get(service) ?? new WeakMap<Pod, Member | undefined>();
  members.set(service, known);
  return pods.map((pod) => {
    const found = known.get(pod);
    if (found !== undefined || known.has(pod)) return found;
    const member = memberOf(service, pod);
    known.set(pod, member);
    return member;
  });
}

function memberOf(service: Service, pod: Pod): Member | undefined {
  const publishAll = service.spec?.publishNotReadyAddresses ?? false;
  const address = isEndpoint(pod) && (publishAll || !isPodTerminating(pod)) ? addressOf(pod, service) : undefined;
  const ports = portsOf(service, pod);
  if (address === undefined || (ports.length === 0 && service.spec?.ports?.length)) return undefined;
  return { key: JSON.stringify(ports), ports, address, ready: publishAll || isPodReady(pod) };
}

function addressOf(pod: Pod, service: Service): EndpointAddress | undefined {
  const { ipFamilies, clusterIP = '' } = service.spec ?? {};
  const own = podAddressesOf(pod);
  const wanted = ipFamilies?.[0] ?? familyOf(clusterIP) ?? own[0]?.family;
  const ip = own.find(({ family }) => family === wanted)?.ip;
  if (ip === undefined) return undefined;
  const { namespace, name, uid } = pod.metadata ?? {};
  const hostname = endpointHostname(pod, service);
  return {
    ip,
    ...(hostname ? { hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function portsOf({ spec }: Service, pod: Pod): Ports {
  const ports = (spec?.ports ?? []).flatMap((servicePort) => {
    const port = targetPortOf(pod, servicePort);
    if (port === undefined) return [];
    const { name, protocol = 'TCP', appProtocol } = servicePort;
    return [{ ...(name ? { name } : {}), port, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });
  return ports.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function truncate(subsets: readonly EndpointSubset[]): {
  readonly subsets: readonly EndpointSubset[];
  readonly truncated: boolean;
} {
  const total = subsets.reduce(
    (sum, { addresses = [], notReadyAddresses = [] }) => sum + addresses.length + notReadyAddresses.length,
    0,
  );
  if (total <= CAPACITY) return { subsets, truncated: false };
  let room = CAPACITY;
  const take = <T>(list: readonly T[] = []): readonly T[] => {
    const taken = list.slice(0, room);
    room -= taken.length;
    return taken;
  };
  // Ready addresses first: they are the ones that are used.
  const ready = subsets.map(({ addresses }) => take(addresses));
  const cut = subsets.map((subset, index) => ({
    ...subset,
    addresses: ready[index]!,
    notReadyAddresses: take(subset.notReadyAddresses),
  }));
  return {
    subsets: cut.filter(({ addresses, notReadyAddresses }) => addresses.length + notReadyAddresses.length > 0),
    truncated: true,
  };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip.length - b.ip.length || (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0);
}
