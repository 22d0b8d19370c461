import type { EndpointSlice, Pod, Service } from '../../kube/generated/types.ts';

/** What the zone needs of a Service. */
export interface ServiceFacts {
  readonly clusterIPs: readonly string[];
  readonly headless: boolean;
  readonly external: boolean;
  readonly externalName: string;
  /** One entry with port -1 when the Service names no port, as in CoreDNS. */
  readonly ports: readonly PortFacts[];
  /** spec.externalIPs, then load balancer ingress IPs or hostnames. */
  readonly externalIPs: readonly string[];
}

export interface PortFacts {
  readonly name: string;
  readonly protocol: string;
  /** -1 stands for no port. */
  readonly port: number;
}

/** What the zone needs of an EndpointSlice: the ready endpoints, one entry per address. */
export interface SliceFacts {
  readonly ports: readonly PortFacts[];
  readonly addresses: readonly AddressFacts[];
  /** multicluster.kubernetes.io/source-cluster, '' when absent. */
  readonly cluster: string;
}

export interface AddressFacts {
  readonly ip: string;
  readonly hostname: string;
  /** Name of the targetRef if it can be a label, else ''. */
  readonly targetName: string;
  /** Topology zone in lower case, '' when unknown. */
  readonly zone: string;
}

export interface PodFacts {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly labels: Readonly<Record<string, string>>;
}

export const NO_PORT: PortFacts = { name: '', protocol: '', port: -1 };
const MAX_LABEL = 63;
const MAX_LISTS = 1000;
const NONE: readonly string[] = [];

/** Lists of ports that many Services have alike, each kept once. */
export class PortLists {
  readonly #known = new Map<string, readonly PortFacts[]>();

  /** The list kept instead of this one; an empty one stands for no port. */
  share(ports: readonly PortFacts[]): readonly PortFacts[] {
    const key = ports.map(({ name, protocol, port }) => `${name} ${protocol} ${port}`).join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const list = ports.length > 0 ? ports : [NO_PORT];
    // What is rare is not worth keeping for ever.
    if (this.#known.size < MAX_LISTS) this.#known.set(key, list);
    return list;
  }
}

export function serviceFacts(service: Service, lists: PortLists): ServiceFacts {
  const { spec, status } = service;
  const listed = spec?.clusterIPs ?? [];
  const clusterIPs = listed.length > 0 ? listed : [spec?.clusterIP ?? ''];
  const ports = (spec?.ports ?? []).map(({ name, protocol, port }) => ({
    name: name ?? '',
    protocol: protocol ?? 'TCP',
    port: port ?? 0,
  }));
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  const externalIPs = [...(spec?.externalIPs ?? []), ...ingress];
  return {
    clusterIPs,
    headless: clusterIPs[0] === 'None',
    external: spec?.type === 'ExternalName',
    externalName: spec?.externalName ?? '',
    ports: lists.share(ports),
    externalIPs: externalIPs.length === 0 ? NONE : externalIPs,
  };
}

export function sliceFacts(slice: EndpointSlice, lists: PortLists): SliceFacts {
  const ports = (slice.ports ?? []).map(({ name, protocol, port }) => ({
    name: name ?? '',
    protocol: protocol ?? '',
    port: port ?? -1,
  }));
  const addresses: AddressFacts[] = [];
  for (const endpoint of slice.endpoints ?? []) {
    // A ready that is null or absent is unknown and counts as ready; serving and terminating play no part.
    if (endpoint.conditions?.ready === false) continue;
    const target = endpoint.targetRef?.name ?? '';
    const shared = {
      hostname: endpoint.hostname ?? '',
      targetName: target.length <= MAX_LABEL ? target : '',
      zone: (endpoint.zone ?? '').toLowerCase(),
    };
    for (const ip of endpoint.addresses ?? []) addresses.push({ ip, ...shared });
  }
  const cluster = slice.metadata?.labels?.['multicluster.kubernetes.io/source-cluster'] ?? '';
  // Exactly as long as it is: one that was pushed to has room for many more.
  return { ports: lists.share(ports), addresses: addresses.slice(), cluster };
}

/** Undefined for a pod that DNS does not see: terminating, finished or without an address. */
export function podFacts(pod: Pod): PodFacts | undefined {
  const { metadata, status } = pod;
  const gone = metadata?.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null;
  const over = status?.phase === 'Succeeded' || status?.phase === 'Failed' || status?.phase === 'Unknown';
  const ip = status?.podIP ?? '';
  if (gone || over || ip === '') return undefined;
  return { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '', ip, labels: metadata?.labels ?? {} };
}

/** The label under which an endpoint is found: its hostname, its pod's name on option, or its address with dashes. */
export function endpointHostname(address: AddressFacts, podNames: boolean): string {
  if (address.hostname !== '') return address.hostname;
  if (podNames && address.targetName !== '') return address.targetName;
  if (address.ip.includes('.')) return address.ip.replaceAll('.', '-');
  const dashed = address.ip.replaceAll(':', '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
