import type { ProxyState } from '../proxy-backend.ts';
import type { NodeNetwork } from './node-network.ts';
import type { SelectedPort } from './select-endpoints.ts';
import type { FactChange, ServiceFacts } from './service-facts.ts';
import { isSameList } from './slice-facts.ts';

/** What one node has to look at since the last time it looked. */
export interface StateChange {
  readonly state: ProxyState;
  /** Keys of ServicePorts whose rules may differ; those that are gone are in it too. */
  readonly changed: ReadonlySet<string>;
  /** Services (`namespace/name`) of which an object changed, whether or not a rule does. */
  readonly services: ReadonlySet<string>;
  /** When the changes began that this brings, as far as they are known. */
  readonly triggerTimes: readonly number[];
}

/** The view of one node and family on the shared facts: keeps its selections and says what changed since the last look. */
export class StateTracker implements Disposable {
  readonly #facts: ServiceFacts;
  readonly #subscription: Disposable;
  readonly #ports = new Map<string, SelectedPort>();
  readonly #withLocalPolicy = new Map<string, SelectedPort>();
  readonly #keysOf = new Map<string, readonly string[]>();
  #pendingServices = new Set<string>();
  #pendingEndpoints = new Set<string>();
  #triggerTimes: number[] = [];
  #node: NodeNetwork;

  constructor(facts: ServiceFacts, node: NodeNetwork, onChange: (change: FactChange) => void) {
    this.#facts = facts;
    this.#node = node;
    this.#pendingServices = new Set(facts.services(node.family));
    this.#subscription = facts.subscribe((change) => {
      if (!change.families.includes(node.family)) return;
      (change.kind === 'service' ? this.#pendingServices : this.#pendingEndpoints).add(change.service);
      if (change.triggerTime !== undefined) this.#triggerTimes.push(change.triggerTime);
      onChange(change);
    });
  }

  get node(): NodeNetwork {
    return this.#node;
  }

  /** The ServicePorts for which it counts what runs on this node; usually few of all. */
  withLocalPolicy(): Iterable<SelectedPort> {
    return this.#withLocalPolicy.values();
  }

  /** Replaces what is known of the node; selections that depend on it are made anew at the next look. */
  setNode(node: NodeNetwork): void {
    this.#node = node;
    for (const service of this.#facts.services(node.family)) this.#pendingEndpoints.add(service);
  }

  /** Numbers of Services whose objects changed since the last look. */
  get pending(): { readonly services: number; readonly endpoints: number } {
    return { services: this.#pendingServices.size, endpoints: this.#pendingEndpoints.size };
  }

  /** The present state; what was pending is pending no more. */
  take(): StateChange {
    const services = new Set([...this.#pendingServices, ...this.#pendingEndpoints]);
    const triggerTimes = this.#triggerTimes;
    this.#pendingServices = new Set();
    this.#pendingEndpoints = new Set();
    this.#triggerTimes = [];
    const changed = new Set<string>();
    for (const service of services) this.#look(service, changed);
    return {
      state: { family: this.#node.family, node: this.#node, ports: this.#ports },
      changed,
      services,
      triggerTimes,
    };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #look(service: string, changed: Set<string>): void {
    const ports = this.#facts.portsOf(this.#node.family, service);
    const keys = ports.map(({ key }) => key);
    for (const key of this.#keysOf.get(service) ?? []) {
      if (keys.includes(key)) continue;
      this.#ports.delete(key);
      this.#withLocalPolicy.delete(key);
      changed.add(key);
    }
    if (keys.length === 0) this.#keysOf.delete(service);
    else this.#keysOf.set(service, keys);
    for (const port of ports) {
      const previous = this.#ports.get(port.key);
      const selected = this.#facts.select(port, this.#node);
      if (previous !== undefined && isSameSelection(previous, selected)) continue;
      this.#ports.set(port.key, selected);
      if (port.usesLocalEndpoints) this.#withLocalPolicy.set(port.key, selected);
      else this.#withLocalPolicy.delete(port.key);
      changed.add(port.key);
    }
  }
}

/** True when two selections lead to the same rules. Relies on ServiceFacts keeping unchanged objects. */
export function isSameSelection(a: SelectedPort, b: SelectedPort): boolean {
  if (a === b) return true;
  const { cluster, local, reachable, hasAny, total } = a.endpoints;
  return (
    a.port === b.port &&
    hasAny === b.endpoints.hasAny &&
    total === b.endpoints.total &&
    isSameList(cluster, b.endpoints.cluster) &&
    isSameList(local, b.endpoints.local) &&
    isSameList(reachable, b.endpoints.reachable)
  );
}
