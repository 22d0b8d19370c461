import { isDeepStrictEqual } from 'node:util';
import type { EndpointSlice, Service } from '../../kube/generated/types.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { Endpoint } from './endpoint.ts';
import { FrontendClaims, type FrontendConflict } from './frontend-claims.ts';
import { type EndpointMap, mergeSlices } from './merge-slices.ts';
import { isNodeIndependent, type SelectedPort, type SelectingNode, selectEndpoints } from './select-endpoints.ts';
import { buildServicePorts, type ServicePort, type ServicePortOptions } from './service-port.ts';
import { serviceOfKey } from './service-port-name.ts';
import { isSameSlice, readSlice, type SliceFacts } from './slice-facts.ts';

/** Something about a Service or its endpoints that may change rules. */
export interface FactChange {
  readonly kind: 'service' | 'endpoints';
  /** `namespace/name`. */
  readonly service: string;
  readonly families: readonly Family[];
  /** When the change that caused this began (milliseconds), if the EndpointSlice controller wrote it down. */
  readonly triggerTime?: number | undefined;
}

/** A value that no rule can be made of: it is skipped, everything else goes on. `reason` is kube-proxy's where it has one. */
export interface FactProblem {
  readonly service: string;
  readonly reason:
    | 'KubeProxyIncorrectIPVersion'
    | 'InvalidServiceField'
    | 'InvalidEndpointAddress'
    | 'ConflictingFrontend';
  readonly message: string;
}

export interface ServiceFactsOptions {
  /** Gate LoadBalancerIPMode; default true. */
  readonly loadBalancerIPMode?: boolean;
  readonly onProblem?: (problem: FactProblem) => void;
}

const FAMILIES = ['ipv4', 'ipv6'] as const;
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
const NO_ENDPOINTS: EndpointMap = new Map();

interface PortsUpdate {
  readonly key: string;
  readonly family: Family;
  readonly service: Service | undefined;
  readonly onInvalid: NonNullable<ServicePortOptions['onInvalid']>;
}

interface Endpoints {
  readonly slices: Map<string, SliceFacts>;
  merged: EndpointMap;
  dirty: boolean;
}

/**
 * What all proxies of a cluster know alike: ServicePorts and endpoints of each Service, per family. One instance serves
 * every node; it is told of objects as they change and tells its subscribers which Services to look at again.
 */
export class ServiceFacts {
  readonly #options: Required<ServiceFactsOptions>;
  readonly #ports: Record<Family, Map<string, readonly ServicePort[]>> = { ipv4: new Map(), ipv6: new Map() };
  readonly #endpoints: Record<Family, Map<string, Endpoints>> = { ipv4: new Map(), ipv6: new Map() };
  readonly #healthChecked: Record<Family, Set<string>> = { ipv4: new Set(), ipv6: new Set() };
  readonly #claims: Record<Family, FrontendClaims> = { ipv4: new FrontendClaims(), ipv6: new FrontendClaims() };
  readonly #slices = new Map<string, SliceFacts>();
  readonly #subscribers = new Set<(change: FactChange) => void>();
  readonly #shared = new WeakMap<
    ServicePort,
    { readonly endpoints: readonly Endpoint[]; readonly selected: SelectedPort }
  >();

  constructor(options: ServiceFactsOptions = {}) {
    this.#options = { loadBalancerIPMode: true, onProblem: () => {}, ...options };
  }

  /** Tells of the present state of a Service, or that it is gone. */
  setService(key: string, service: Service | undefined): void {
    // Both families have the same fields.
    const invalid = new Map<string, Parameters<PortsUpdate['onInvalid']>>();
    const families = FAMILIES.filter((family) =>
      this.#replacePorts({ key, family, service, onInvalid: (...field) => invalid.set(field[0], field) }),
    );
    for (const field of invalid.values()) this.#invalidField(key, field);
    if (families.length > 0) this.#publish({ kind: 'service', service: key, families });
  }

  /** Tells of the present state of an EndpointSlice, or that it is gone. */
  setSlice(key: string, slice: EndpointSlice | undefined): void {
    const previous = this.#slices.get(key);
    const current = slice === undefined || isLabelledAway(slice) ? undefined : this.#read(key, slice);
    if (isSameSlice(previous, current)) return;
    const moved = previous?.service !== current?.service || previous?.family !== current?.family;
    if (previous !== undefined && moved) this.#placeSlice(key, previous, undefined);
    if (current !== undefined) {
      this.#slices.set(key, current);
      this.#placeSlice(key, current, current, triggerTimeOf(slice));
    } else this.#slices.delete(key);
  }

  /** Calls `listener` after each change, until the handle is disposed of. */
  subscribe(listener: (change: FactChange) => void): Disposable {
    this.#subscribers.add(listener);
    return { [Symbol.dispose]: () => void this.#subscribers.delete(listener) };
  }

  /** `namespace/name` of every Service with ports or endpoints in this family. */
  services(family: Family): ReadonlySet<string> {
    return new Set([...this.#ports[family].keys(), ...this.#endpoints[family].keys()]);
  }

  /** How many Services have ports, and how many EndpointSlices there are, in this family. */
  count(family: Family): { readonly services: number; readonly slices: number } {
    let slices = 0;
    for (const { slices: ofService } of this.#endpoints[family].values()) slices += ofService.size;
    return { services: this.#ports[family].size, slices };
  }

  /** Services with a healthCheckNodePort. */
  healthChecked(family: Family): ReadonlySet<string> {
    return this.#healthChecked[family];
  }

  portsOf(family: Family, service: string): readonly ServicePort[] {
    return this.#ports[family].get(service) ?? [];
  }

  endpointsOf(family: Family, service: string): EndpointMap {
    const entry = this.#endpoints[family].get(service);
    if (entry === undefined) return NO_ENDPOINTS;
    if (entry.dirty) {
      const slices = [...entry.slices].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, slice]) => slice);
      entry.merged = mergeSlices(slices, entry.merged);
      entry.dirty = false;
    }
    return entry.merged;
  }

  /** What a node uses for a ServicePort; the same object for all nodes where nothing depends on the node. */
  select(port: ServicePort, node: SelectingNode): SelectedPort {
    const service = `${port.namespace}/${port.name}`;
    const endpoints = this.endpointsOf(port.family, service).get(port.key) ?? [];
    const shared = this.#shared.get(port);
    if (shared?.endpoints === endpoints) return shared.selected;
    const selected: SelectedPort = { port, endpoints: selectEndpoints(port, endpoints, node) };
    if (endpoints.length > 0 && isNodeIndependent(port, endpoints)) this.#shared.set(port, { endpoints, selected });
    return selected;
  }

  #replacePorts({ key, family, service, onInvalid }: PortsUpdate): boolean {
    const previous = this.#ports[family].get(key) ?? [];
    const built =
      service === undefined || isLabelledAway(service)
        ? []
        : buildServicePorts(service, family, { loadBalancerIPMode: this.#options.loadBalancerIPMode, onInvalid });
    const current = built.map((port) => {
      const old = previous.find(({ key: oldKey }) => oldKey === port.key);
      return old !== undefined && isDeepStrictEqual(old, port) ? old : port;
    });
    if (current.length === previous.length && current.every((port, index) => port === previous[index])) return false;
    if (current.length === 0) this.#ports[family].delete(key);
    else this.#ports[family].set(key, current);
    for (const conflict of this.#claims[family].replace(key, current)) this.#conflicting(conflict);
    if ((current[0]?.healthCheckNodePort ?? 0) === 0) this.#healthChecked[family].delete(key);
    else this.#healthChecked[family].add(key);
    return true;
  }

  #read(key: string, slice: EndpointSlice): SliceFacts | undefined {
    const service = `${slice.metadata?.namespace ?? ''}/${slice.metadata?.labels?.['kubernetes.io/service-name'] ?? ''}`;
    return readSlice(slice, (address, why) =>
      this.#options.onProblem(
        why === 'wrongFamily'
          ? {
              service,
              reason: 'KubeProxyIncorrectIPVersion',
              message: `${address} in endpointslice has incorrect IP version`,
            }
          : {
              service,
              reason: 'InvalidEndpointAddress',
              message: `EndpointSlice ${key}: "${address}" is no IP address; the endpoint is skipped`,
            },
      ),
    );
  }

  #placeSlice(key: string, { family, service }: SliceFacts, slice: SliceFacts | undefined, triggerTime?: number): void {
    const entry = this.#endpoints[family].get(service) ?? { slices: new Map(), merged: NO_ENDPOINTS, dirty: true };
    if (slice === undefined) entry.slices.delete(key);
    else entry.slices.set(key, slice);
    entry.dirty = true;
    if (entry.slices.size === 0) this.#endpoints[family].delete(service);
    else this.#endpoints[family].set(service, entry);
    this.#publish({ kind: 'endpoints', service, families: [family], triggerTime });
  }

  #conflicting({ frontend, winner, loser }: FrontendConflict): void {
    const message = `${frontend} of ${loser} belongs to ${winner}, where packets to it go`;
    this.#options.onProblem({ service: serviceOfKey(loser), reason: 'ConflictingFrontend', message });
  }

  #invalidField(service: string, [field, value, known]: Parameters<PortsUpdate['onInvalid']>): void {
    const remedy = known === undefined ? '' : `; known here: ${known.join(', ')}`;
    const message = `Service ${service}: ${field} holds "${value}", which is skipped${remedy}`;
    this.#options.onProblem({ service, reason: 'InvalidServiceField', message });
  }

  #publish(change: FactChange): void {
    for (const subscriber of this.#subscribers) subscriber(change);
  }
}

/** True for objects that are meant for another proxy, or for none. */
function isLabelledAway(object: Service | EndpointSlice): boolean {
  const labels = object.metadata?.labels ?? {};
  return PROXY_NAME_LABEL in labels || HEADLESS_LABEL in labels;
}

function triggerTimeOf(slice: EndpointSlice | undefined): number | undefined {
  const time = Date.parse(slice?.metadata?.annotations?.[TRIGGER_TIME_ANNOTATION] ?? '');
  return Number.isNaN(time) ? undefined : time;
}
