import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ProxyState } from '../proxy-backend.ts';
import { isLargeCluster } from './large-cluster.ts';
import { type AppliedPort, type RenderedPort, renderPort } from './rendered-port.ts';
import { type DispatchEdit, SharedChains } from './shared-chains.ts';

/** The change of one ServicePort: from what is in the kernel to what is wanted. */
export interface PortChange {
  readonly key: string;
  readonly previous: AppliedPort | undefined;
  readonly current: RenderedPort | undefined;
}

/** What a proxy knows to be in the kernel: rules per ServicePort and the order of the shared chains. */
export class AppliedRules {
  readonly node: ProxyState['node'];
  readonly shared = new SharedChains();
  readonly #ports = new Map<string, AppliedPort>();

  constructor(node: ProxyState['node']) {
    this.node = node;
  }

  get ports(): ReadonlyMap<string, AppliedPort> {
    return this.#ports;
  }

  /** Renders what is wanted of these ServicePorts, one after the other. Keys that are in neither state are left out. */
  *plan(state: ProxyState, keys: Iterable<string>): Iterable<PortChange> {
    const context = { node: state.node, largeCluster: isLargeCluster(state.ports.values()) };
    for (const key of keys) {
      const previous = this.#ports.get(key);
      const wanted: SelectedPort | undefined = state.ports.get(key);
      if (previous === undefined && wanted === undefined) continue;
      yield { key, previous, current: wanted && renderPort(wanted, context) };
    }
  }

  /** Takes over a change; the edits lead to it in the shared chains. */
  apply({ key, previous, current }: PortChange): DispatchEdit[] {
    if (current === undefined) this.#ports.delete(key);
    else this.#ports.set(key, current.applied);
    return this.shared.replace(key, previous?.dispatch ?? [], current?.dispatch ?? []);
  }

  /** Takes a change back that the kernel refused. */
  undo(key: string, previous: AppliedPort | undefined): void {
    this.shared.replace(key, this.#ports.get(key)?.dispatch ?? [], previous?.dispatch ?? []);
    if (previous === undefined) this.#ports.delete(key);
    else this.#ports.set(key, previous);
  }

  /** All chains of ServicePorts. */
  activeChains(): Set<string> {
    const active = new Set<string>();
    for (const { chains } of this.#ports.values()) for (const name of chains) active.add(name);
    return active;
  }
}
