import type { PodFacts, ServiceFacts, SliceFacts } from './facts.ts';

// Most addresses have one owner in one role, and many Services no slice: what is empty costs nothing.
const NO_SLICES: ReadonlyMap<string, SliceFacts> = new Map();
const NOBODY: readonly ServiceEntry[] = [];

/** A Service name with what is known under it: the Service, its slices, or only one of the two. */
export class ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  facts: ServiceFacts | undefined;
  /** By slice name; reads in order of arrival. A Service without endpoints shares the one empty map. */
  slices: ReadonlyMap<string, SliceFacts> = NO_SLICES;

  constructor(namespace: string, name: string) {
    this.namespace = namespace;
    this.name = name;
  }
}

/** Told of what may answer differently from now on. */
export interface StateObserver {
  serviceChanged(entry: ServiceEntry): void;
  /** A cluster IP or endpoint address that is used, or no longer used, by something. */
  addressChanged(ip: string): void;
  namespaceChanged(name: string): void;
  /** A slice with the time of the change that caused it (ms since the epoch) is now answered from. */
  programmed?(entry: ServiceEntry, triggeredAt: number): void;
}

interface Address {
  services: readonly ServiceEntry[];
  endpoints: readonly ServiceEntry[];
  externals: readonly ServiceEntry[];
}

type Role = keyof Address;

/**
 * What DNS knows of a cluster, indexed for its questions. Pure: changes come in through the setters, each costs its own
 * records only, and observers drop what they had built from the old state. Many servers share one.
 */
export class ClusterState {
  readonly #namespaces = new Map<string, Map<string, ServiceEntry>>();
  readonly #exposed = new Set<string>();
  readonly #imports = new Map<string, ServiceEntry>();
  readonly #addresses = new Map<string, Address>();
  readonly #podsByIp = new Map<string, Map<string, PodFacts>>();
  readonly #pods = new Map<string, PodFacts>();
  readonly #observers = new Set<StateObserver>();
  readonly #now: () => number;
  /** Unix seconds of the last change: serials of the zone, of the external zone and of multicluster zones. */
  readonly modified = { internal: 0, external: 0, multicluster: 0 };
  readonly #synced = Promise.withResolvers<void>();
  synced = false;

  /** `now` gives milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Starts telling `observer`; the returned handle stops it. */
  observe(observer: StateObserver): Disposable {
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  /** Resolves once everything is in the state for the first time. */
  get whenSynced(): Promise<void> {
    return this.#synced.promise;
  }

  markSynced(): void {
    this.synced = true;
    this.#synced.resolve();
  }

  hasNamespace(name: string): boolean {
    return this.#exposed.has(name);
  }

  service(namespace: string, name: string): ServiceEntry | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  serviceImport(namespace: string, name: string): ServiceEntry | undefined {
    return this.#imports.get(`${namespace}/${name}`);
  }

  /** Every Service name with at least a Service or a slice. */
  *services(): IterableIterator<ServiceEntry> {
    for (const entries of this.#namespaces.values()) yield* entries.values();
  }

  servicesIn(namespace: string): Iterable<ServiceEntry> {
    return this.#namespaces.get(namespace)?.values() ?? [];
  }

  serviceImports(): Iterable<ServiceEntry> {
    return this.#imports.values();
  }

  servicesWithClusterIp(ip: string): Iterable<ServiceEntry> {
    return this.#addresses.get(ip)?.services ?? NOBODY;
  }

  servicesWithExternalIp(ip: string): Iterable<ServiceEntry> {
    return this.#addresses.get(ip)?.externals ?? NOBODY;
  }

  servicesWithEndpoint(ip: string): Iterable<ServiceEntry> {
    return this.#addresses.get(ip)?.endpoints ?? NOBODY;
  }

  podsWithIp(ip: string): Iterable<PodFacts> {
    return this.#podsByIp.get(ip)?.values() ?? [];
  }

  setNamespace(name: string, present: boolean): void {
    if (present === this.#exposed.has(name)) return;
    if (present) this.#exposed.add(name);
    else this.#exposed.delete(name);
    for (const observer of this.#observers) observer.namespaceChanged(name);
  }

  setService(namespace: string, name: string, facts: ServiceFacts | undefined): void {
    const entry = this.#entry(namespace, name);
    const { facts: previous } = entry;
    entry.facts = facts;
    this.#reindex(entry, 'services', previous?.clusterIPs, facts?.clusterIPs);
    this.#reindex(entry, 'externals', previous?.externalIPs, facts?.externalIPs);
    const external = (previous?.externalIPs.length ?? 0) + (facts?.externalIPs.length ?? 0) > 0;
    this.#touch(external ? ['internal', 'external'] : ['internal']);
    this.#changed(entry);
  }

  /** `slice` is the EndpointSlice's own name. */
  setSlice(owner: { namespace: string; name: string }, slice: string, facts: SliceFacts | undefined): void {
    const entry = this.#entry(owner.namespace, owner.name);
    const before = endpointIps(entry);
    entry.slices = withSlice(entry.slices, slice, facts);
    this.#reindex(entry, 'endpoints', before, endpointIps(entry));
    this.#touch(['internal']);
    this.#changed(entry);
  }

  setServiceImport(namespace: string, name: string, facts: ServiceFacts | undefined): void {
    const entry = this.#importEntry(namespace, name);
    entry.facts = facts;
    this.#importChanged(entry);
  }

  setImportSlice(owner: { namespace: string; name: string }, slice: string, facts: SliceFacts | undefined): void {
    const entry = this.#importEntry(owner.namespace, owner.name);
    entry.slices = withSlice(entry.slices, slice, facts);
    this.#importChanged(entry);
  }

  /** Tells observers how long ago the change behind a slice's new state happened. */
  programmed({ namespace, name }: { namespace: string; name: string }, triggeredAt: number): void {
    const entry = this.service(namespace, name);
    if (entry === undefined || Number.isNaN(triggeredAt)) return;
    for (const observer of this.#observers) observer.programmed?.(entry, triggeredAt);
  }

  /** `key` is namespace/name. */
  setPod(key: string, facts: PodFacts | undefined): void {
    const previous = this.#pods.get(key);
    if (previous !== undefined) {
      const pods = this.#podsByIp.get(previous.ip);
      pods?.delete(key);
      if (pods?.size === 0) this.#podsByIp.delete(previous.ip);
    }
    if (facts === undefined) this.#pods.delete(key);
    else {
      this.#pods.set(key, facts);
      getOrInsert(this.#podsByIp, facts.ip, () => new Map<string, PodFacts>()).set(key, facts);
    }
    if (previous?.ip !== facts?.ip) this.#touch(['internal']);
  }

  #entry(namespace: string, name: string): ServiceEntry {
    const entries = getOrInsert(this.#namespaces, namespace, () => new Map<string, ServiceEntry>());
    return getOrInsert(entries, name, () => new ServiceEntry(namespace, name));
  }

  #importEntry(namespace: string, name: string): ServiceEntry {
    return getOrInsert(this.#imports, `${namespace}/${name}`, () => new ServiceEntry(namespace, name));
  }

  #changed(entry: ServiceEntry): void {
    if (entry.facts === undefined && entry.slices.size === 0) {
      const entries = this.#namespaces.get(entry.namespace);
      entries?.delete(entry.name);
      if (entries?.size === 0) this.#namespaces.delete(entry.namespace);
    }
    for (const observer of this.#observers) observer.serviceChanged(entry);
  }

  #importChanged(entry: ServiceEntry): void {
    if (entry.facts === undefined && entry.slices.size === 0) this.#imports.delete(`${entry.namespace}/${entry.name}`);
    this.#touch(['multicluster']);
    for (const observer of this.#observers) observer.serviceChanged(entry);
  }

  #reindex(entry: ServiceEntry, role: Role, before: Iterable<string> = [], after: Iterable<string> = []): void {
    const kept = new Set(after);
    for (const ip of before) if (!kept.has(ip)) this.#unlink(entry, role, ip);
    for (const ip of kept) {
      const address = getOrInsert(this.#addresses, ip, newAddress);
      if (!address[role].includes(entry)) address[role] = [...address[role], entry];
      this.#addressChanged(ip);
    }
  }

  #unlink(entry: ServiceEntry, role: Role, ip: string): void {
    const address = this.#addresses.get(ip);
    if (address === undefined) return;
    address[role] = address[role].filter((other) => other !== entry);
    if (address.services.length + address.endpoints.length + address.externals.length === 0) this.#addresses.delete(ip);
    this.#addressChanged(ip);
  }

  #addressChanged(ip: string): void {
    for (const observer of this.#observers) observer.addressChanged(ip);
  }

  #touch(serials: readonly (keyof ClusterState['modified'])[]): void {
    for (const serial of serials) this.modified[serial] = Math.floor(this.#now() / 1000);
  }
}

function newAddress(): Address {
  return { services: NOBODY, endpoints: NOBODY, externals: NOBODY };
}

function withSlice(
  slices: ReadonlyMap<string, SliceFacts>,
  name: string,
  facts: SliceFacts | undefined,
): ReadonlyMap<string, SliceFacts> {
  const changed = new Map(slices);
  if (facts === undefined) changed.delete(name);
  else changed.set(name, facts);
  return changed.size === 0 ? NO_SLICES : changed;
}

function getOrInsert<K, V>(map: Map<K, V>, key: K, build: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = build();
    map.set(key, value);
  }
  return value;
}

function endpointIps(entry: ServiceEntry): Set<string> {
  const ips = new Set<string>();
  for (const slice of entry.slices.values()) for (const { ip } of slice.addresses) ips.add(ip);
  return ips;
}
