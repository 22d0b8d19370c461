import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ServicePort } from '../facts/service-port.ts';
import type { ProxyState, QuarantinedPort } from '../proxy-backend.ts';
import { buildListeners, type ListenerOptions } from './build-listeners.ts';
import { buildPortal } from './build-portal.ts';
import type { ListenAddress } from './listener.ts';
import type { NodeSockets, Transport } from './transport.ts';

interface OpenPortal {
  readonly source: ServicePort;
  readonly selected: SelectedPort;
  readonly listeners: readonly string[];
}

/** The listeners of one node and family, kept in step with its ServicePorts, and the state that rules are built from. */
export class Portals {
  readonly #transport: Transport;
  readonly #sockets: NodeSockets;
  readonly #portals = new Map<string, OpenPortal>();
  readonly #ports = new Map<string, SelectedPort>();
  readonly #failed = new Map<string, QuarantinedPort>();
  #addresses = new Map<string, ListenAddress>();
  #obsolete = new Set<string>();
  #node: NodeNetwork | undefined;
  #options: ListenerOptions = {};

  constructor(transport: Transport, sockets: NodeSockets) {
    this.#transport = transport;
    this.#sockets = sockets;
  }

  /** What rules are built from: each ServicePort with its listeners for endpoints. */
  get ports(): ReadonlyMap<string, SelectedPort> {
    return this.#ports;
  }

  /** ServicePorts for which no socket could be opened. */
  get failed(): readonly QuarantinedPort[] {
    return [...this.#failed.values()];
  }

  /**
   * Opens and updates the listeners of these ServicePorts, and tells whose rules differ now. What no rule may lead to any more
   * stays open until `closeObsolete`.
   */
  update({ node, ports }: ProxyState, keys: Iterable<string>, options: ListenerOptions = {}): ReadonlySet<string> {
    this.#options = options;
    if (node !== this.#node) this.#takeOver(node);
    const changed = new Set<string>();
    // What failed before is tried again: a descriptor may be free by now.
    for (const key of new Set([...keys, ...this.#failed.keys()]))
      if (this.#look(key, ports.get(key), node)) changed.add(key);
    return changed;
  }

  /** Keys of ServicePorts that have a portal. */
  keys(): Iterable<string> {
    return this.#portals.keys();
  }

  /** Closes what rules led to before. */
  closeObsolete(): void {
    for (const id of this.#obsolete) {
      this.#transport.close(id);
      this.#addresses.delete(id);
    }
    this.#obsolete.clear();
  }

  /** Closes every listener. */
  closeAll(): void {
    for (const id of this.#addresses.keys()) this.#transport.close(id);
    this.#addresses.clear();
    this.#obsolete.clear();
    this.#portals.clear();
    this.#ports.clear();
  }

  // A proxy that starts finds the listeners of the one before it; those that nobody asks for again are closed after the first sync.
  #takeOver(node: NodeNetwork): void {
    const moved = this.#node !== undefined && this.#node.nodeIP !== node.nodeIP;
    this.#node = node;
    if (moved) for (const id of this.#addresses.keys()) this.#transport.close(id);
    this.#addresses = new Map(this.#transport.listeners(node.nodeName, node.family));
    this.#obsolete = new Set(this.#addresses.keys());
  }

  #look(key: string, selected: SelectedPort | undefined, node: NodeNetwork): boolean {
    const before = this.#portals.get(key);
    this.#failed.delete(key);
    for (const id of before?.listeners ?? []) this.#obsolete.add(id);
    if (selected === undefined) {
      this.#portals.delete(key);
      this.#ports.delete(key);
      return before !== undefined;
    }
    const listeners = this.#open(key, selected, node);
    const portal = buildPortal(selected, node, this.#addresses);
    this.#portals.set(key, { source: selected.port, selected: portal, listeners });
    if (before !== undefined && before.source === selected.port && isSamePortal(before.selected, portal)) return false;
    this.#ports.set(key, portal);
    return true;
  }

  #open(key: string, selected: SelectedPort, node: NodeNetwork): readonly string[] {
    const listeners = buildListeners(selected, node, this.#options);
    for (const listener of listeners) {
      this.#obsolete.delete(listener.id);
      if (this.#addresses.has(listener.id)) {
        this.#transport.update(listener.id, listener.policy);
        continue;
      }
      try {
        const address = this.#transport.open(listener, this.#sockets, { host: node.nodeIP, port: 0 });
        this.#addresses.set(listener.id, address);
      } catch (cause) {
        this.#failed.set(key, { key, cause });
      }
    }
    return listeners.map(({ id }) => id);
  }
}

function isSamePortal(a: SelectedPort, b: SelectedPort): boolean {
  if (a.port.protocol === 'sctp') return a.endpoints === b.endpoints;
  const text = ({ endpoints: { cluster, local, hasAny } }: SelectedPort): string =>
    [cluster, local].map((list) => list.map(({ address }) => address).join(' ')).join('|') + String(hasAny);
  return text(a) === text(b);
}
