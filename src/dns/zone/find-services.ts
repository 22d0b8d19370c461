import { parseIp } from '../wire/ip.ts';
import type { ClusterState, ServiceEntry } from './cluster-state.ts';
import { type AddressFacts, endpointHostname, type PortFacts, type SliceFacts } from './facts.ts';
import { parseRequest, type RecordRequest } from './parse-request.ts';
import type { ZoneOptions } from './zone-options.ts';

/** One thing a name leads to: an address with a port, or the target of an ExternalName Service. */
export interface Found {
  /** IP literal, or a domain name when `external`. */
  readonly host: string;
  readonly external: boolean;
  /** -1 when there is no port: no SRV record. */
  readonly port: number;
  /** Labels of the object's own name below the zone: `web.shop.svc`, `db-0.db.stateful.svc`. */
  readonly key: string;
}

/** What a name leads to. `name-error` is NXDOMAIN; an empty list is NODATA. */
export type Finding = readonly Found[] | 'name-error';

/** Everything a lookup reads. */
export interface ZoneView {
  readonly state: ClusterState;
  readonly options: ZoneOptions;
}

/** Finds what the lower-case `name` in `zone` (lower case) stands for. */
export function findServices(view: ZoneView, name: string, zone: string): Finding {
  const multicluster = view.options.multiclusterZones.includes(zone);
  const request = parseRequest(name, zone, { multicluster, zonal: view.options.zonal });
  if (request === undefined) return 'name-error';
  if (request.kind === '') return [];
  if (name.endsWith('.in-addr.arpa.') || name.endsWith('.ip6.arpa.')) return 'name-error';
  if (!isExposed(view, request.namespace)) return 'name-error';
  if (request.service === '') return request.kind === 'pod' && view.options.podMode === 'disabled' ? 'name-error' : [];
  return request.kind === 'pod' ? findPods(view, request) : findByService(view, request, multicluster);
}

/** True when the namespace exists and the `namespaces` option lets it through. */
export function isExposed({ state, options }: ZoneView, namespace: string): boolean {
  return (options.namespaces.length === 0 || options.namespaces.includes(namespace)) && state.hasNamespace(namespace);
}

/** The slices of an entry as lookups see them: none with `noendpoints`. */
export function slicesOf(view: ZoneView, entry: ServiceEntry): Iterable<SliceFacts> {
  return view.options.noEndpoints ? [] : entry.slices.map(({ facts }) => facts);
}

function findPods({ state, options }: ZoneView, { namespace, service }: RecordRequest): Finding {
  if (options.podMode === 'disabled') return 'name-error';
  const v4 = service.split('-').length === 4 && !service.includes('--');
  const host = service.replaceAll('-', v4 ? '.' : ':');
  const found = { host, external: false, port: 0, key: `${service}.${namespace}.pod` };
  if (options.podMode === 'insecure') return parseIp(host) === undefined ? 'name-error' : [found];
  const pods = [...state.podsWithIp(host)].filter((pod) => pod.namespace === namespace);
  return pods.length === 0 ? 'name-error' : pods.map(() => found);
}

function findByService(view: ZoneView, request: RecordRequest, multicluster: boolean): Finding {
  const { state, options } = view;
  const { namespace, service } = request;
  const entry = multicluster ? state.serviceImport(namespace, service) : state.service(namespace, service);
  const facts = entry?.facts;
  if (entry === undefined || facts === undefined) return 'name-error';
  if (options.ignoreEmptyService && !facts.external && !facts.headless && !hasAddress(view, entry)) return 'name-error';
  if (request.topologyZone !== '' && !facts.headless) return 'name-error';
  const base = `${entry.name}.${entry.namespace}.svc`;
  if (facts.external) {
    const plain = request.endpoint === '' && request.port === '' && request.protocol === '';
    if (!plain || parseIp(facts.externalName) !== undefined) return 'name-error';
    return [{ host: facts.externalName, external: true, port: 0, key: base }];
  }
  if (facts.headless || request.endpoint !== '') return findEndpoints(view, entry, request, multicluster);
  const ports = facts.ports.filter((port) => matchesPort(request, port));
  if (ports.length === 0) return 'name-error';
  return ports.flatMap(({ port }) => facts.clusterIPs.map((host) => ({ host, external: false, port, key: base })));
}

function findEndpoints(view: ZoneView, entry: ServiceEntry, request: RecordRequest, multicluster: boolean): Finding {
  let found = collectEndpoints(view, entry, request, multicluster);
  if (found.length === 0 && request.prefer) {
    found = collectEndpoints(view, entry, { ...request, topologyZone: '' }, multicluster);
  }
  // A zonal name of a headless Service exists, whatever the zone: no endpoint there is NODATA.
  return found.length === 0 && request.topologyZone === '' ? 'name-error' : found;
}

function collectEndpoints(
  view: ZoneView,
  entry: ServiceEntry,
  request: RecordRequest,
  multicluster: boolean,
): readonly Found[] {
  const found: Found[] = [];
  for (const slice of slicesOf(view, entry)) {
    if (multicluster && request.endpoint !== '' && !equalFold(request.cluster, slice.cluster)) continue;
    const cluster = multicluster ? `.${slice.cluster}` : '';
    for (const address of slice.addresses) {
      if (!matchesAddress(request, address, view.options.endpointPodNames)) continue;
      const host = endpointHostname(address, view.options.endpointPodNames);
      const key = `${host}${cluster}.${entry.name}.${entry.namespace}.svc`;
      for (const port of slice.ports) {
        if (matchesPort(request, port)) found.push({ host: address.ip, external: false, port: port.port, key });
      }
    }
  }
  return found;
}

function hasAddress(view: ZoneView, entry: ServiceEntry): boolean {
  for (const slice of slicesOf(view, entry)) if (slice.addresses.length > 0) return true;
  return false;
}

function matchesAddress(request: RecordRequest, address: AddressFacts, podNames: boolean): boolean {
  if (request.topologyZone !== '' && address.zone !== request.topologyZone) return false;
  return request.endpoint === '' || equalFold(request.endpoint, endpointHostname(address, podNames));
}

function matchesPort(request: RecordRequest, port: PortFacts): boolean {
  const named = request.port === '' || equalFold(request.port, port.name);
  return named && (request.protocol === '' || equalFold(request.protocol, port.protocol));
}

function equalFold(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}
