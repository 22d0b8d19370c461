import { getOrInsert } from '../get-or-insert.ts';
import { type PodFacts, PortLists, type ServiceFacts, type SliceFacts } from './facts.ts';

// There are as many of these as Services: an entry with one slice, and an address with one owner, are what is usual.
const NO_SLICES: readonly NamedSlice[] = [];
const NOBODY: readonly ServiceEntry[] = [];

/** What is known of the EndpointSlice of this name. */
export interface NamedSlice {
  readonly name: string;
  readonly facts: SliceFacts;
}

/** A Service name with what is known under it: the Service, its slices, or only one of the two. */
export class ServiceEntry {
  readonly namespace: string;
  readonly name: string;
  facts: ServiceFacts | undefined;
  /** In order of arrival. */
  slices: readonly NamedSlice[] = NO_SLICES;

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

/** The Services that an address belongs to, by address. */
type Owners = Map<string, ServiceEntry | readonly ServiceEntry[]>;

type Role = 'services' | 'endpoints' | 'externals';

/**
 * What DNS knows of a cluster, indexed for its questions. Pure: changes come in through the setters, each costs its own
 * records only, and observers drop what they had built from the old state. Many servers share one.
 */
export class ClusterState {
  readonly #namespaces = new Map<string, Map<string, ServiceEntry>>();
  readonly #exposed = new Set<string>();
  readonly #imports = new Map<string, ServiceEntry>();
  readonly #owners: Readonly<Record<Role, Owners>> = {
    services: new Map(),
    endpoints: new Map(),
    externals: new Map(),
  };
  readonly #podsByIp = new Map<string, Map<string, PodFacts>>();
  readonly #pods = new Map<string, PodFacts>();
  readonly #observers = new Set<StateObserver>();
  readonly #now: () => number;
  /** Unix seconds of the last change: serials of the zone, of the external zone and of multicluster zones. */
  readonly modified = { internal: 0, external: 0, multicluster: 0 };
  readonly portLists = new PortLists();
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
    return ownersOf(this.#owners.services, ip);
  }

  servicesWithExternalIp(ip: string): Iterable<ServiceEntry> {
    return ownersOf(this.#owners.externals, ip);
  }

  servicesWithEndpoint(ip: string): Iterable<ServiceEntry> {
    return ownersOf(this.#owners.endpoints, ip);
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
    if (entry.facts === undefined && entry.slices.length === 0) {
      const entries = this.#namespaces.get(entry.namespace);
      entries?.delete(entry.name);
      if (entries?.size === 0) this.#namespaces.delete(entry.namespace);
    }
    for (const observer of this.#observers) observer.serviceChanged(entry);
  }

  #importChanged(entry: ServiceEntry): void {
    if (entry.facts === undefined && entry.slices.length === 0)
      this.#imports.delete(`${entry.namespace}/${entry.name}`);
    this.#touch(['multicluster']);
    for (const observer of this.#observers) observer.serviceChanged(entry);
  }

  #reindex(entry: ServiceEntry, role: Role, before: Iterable<string> = [], after: Iterable<string> = []): void {
    const kept = new Set(after);
    const owners = this.#owners[role];
    for (const ip of before) {
      if (kept.has(ip)) continue;
      removeOwner(owners, ip, entry);
      this.#addressChanged(ip);
    }
    for (const ip of kept) {
      addOwner(owners, ip, entry);
      this.#addressChanged(ip);
    }
  }

  #addressChanged(ip: string): void {
    for (const observer of this.#observers) observer.addressChanged(ip);
  }

  #touch(serials: readonly (keyof ClusterState['modified'])[]): void {
    for (const serial of serials) this.modified[serial] = Math.floor(this.#now() / 1000);
  }
}

function ownersOf(owners: Owners, ip: string): readonly ServiceEntry[] {
  const found = owners.get(ip);
  if (found === undefined) return NOBODY;
  return found instanceof ServiceEntry ? [found] : found;
}

function addOwner(owners: Owners, ip: string, entry: ServiceEntry): void {
  const known = ownersOf(owners, ip);
  if (!known.includes(entry)) owners.set(ip, known.length === 0 ? entry : [...known, entry]);
}

function removeOwner(owners: Owners, ip: string, entry: ServiceEntry): void {
  const others = ownersOf(owners, ip).filter((other) => other !== entry);
  if (others.length === 0) owners.delete(ip);
  else owners.set(ip, others.length === 1 ? others[0]! : others);
}

// What is known keeps its place.
function withSlice(slices: readonly NamedSlice[], name: string, facts: SliceFacts | undefined): readonly NamedSlice[] {
  const at = slices.findIndex((slice) => slice.name === name);
  if (facts === undefined) return at === -1 ? slices : slices.filter((_slice, i) => i !== at);
  return at === -1 ? [...slices, { name, facts }] : slices.with(at, { name, facts });
}

function endpointIps(entry: ServiceEntry): Set<string> {
  const ips = new Set<string>();
  for (const { facts } of entry.slices) for (const { ip } of facts.addresses) ips.add(ip);
  return ips;
}
