import type { ConntrackRunner, Family } from '../../netfilter/runner.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ProxyBackend, ProxyState, SyncReport } from '../proxy-backend.ts';
import { ClientAddresses } from './client-addresses.ts';
import { Portals } from './portals.ts';
import type { ReplyPath } from './reply-path.ts';
import { stalePortalFlows } from './stale-portal-flows.ts';
import type { NodeSockets, Transport } from './transport.ts';

export interface UserspaceBackendOptions {
  /** Writes the rules that lead to the listeners. */
  readonly rules: ProxyBackend;
  readonly transport: Transport;
  readonly sockets: NodeSockets;
  readonly conntrack: ConntrackRunner | undefined;
  /** What brings replies to clients' own addresses back. */
  readonly replyPath: Pick<ReplyPath, 'open' | 'close'>;
}

/** Userspace mode: listeners carry the traffic, and the rules of a kernel mode lead to them instead of to endpoints. */
export class UserspaceBackend implements ProxyBackend {
  readonly family: Family;
  readonly #options: UserspaceBackendOptions;
  readonly #portals: Portals;
  readonly #clients: ClientAddresses;

  constructor(options: UserspaceBackendOptions) {
    this.family = options.rules.family;
    this.#options = options;
    this.#portals = new Portals(options.transport, options.sockets);
    this.#clients = new ClientAddresses(options.replyPath);
  }

  async sync(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const portals = this.#portals;
    const keys = changed === 'all' ? new Set([...state.ports.keys(), ...portals.keys()]) : changed;
    const before = this.#udpPortals(keys);
    const canPreserve = await this.#clients.update(state, keys, changed === 'all');
    const differing = portals.update(state, keys, {
      canPreserve,
      onLink: canPreserve ? this.#options.sockets.onLinkPrefixes(this.family) : [],
    });
    const portalState: ProxyState = { ...state, ports: portals.ports };
    const report = await this.#options.rules.sync(portalState, changed === 'all' ? 'all' : differing);
    portals.closeObsolete();
    await this.#endStaleFlows(before, differing);
    const quarantined = [...report.quarantined, ...portals.failed];
    return { ...report, quarantined, hidingClients: this.#clients.unmet };
  }

  isIntact(): Promise<boolean> {
    return this.#options.rules.isIntact();
  }

  async cleanup(): Promise<void> {
    await this.#options.rules.cleanup();
    await this.#clients.close();
    this.#portals.closeAll();
  }

  #udpPortals(keys: Iterable<string>): ReadonlyMap<string, SelectedPort> {
    const found = new Map<string, SelectedPort>();
    for (const key of keys) {
      const selected = this.#portals.ports.get(key);
      if (selected?.port.protocol === 'udp') found.set(key, selected);
    }
    return found;
  }

  // Connection tracking keeps a UDP flow where its first datagram went, whatever the rules say since.
  async #endStaleFlows(before: ReadonlyMap<string, SelectedPort>, differing: ReadonlySet<string>): Promise<void> {
    const { conntrack } = this.#options;
    if (conntrack === undefined) return;
    const gone = [...before].filter(([key]) => differing.has(key) && !this.#portals.ports.has(key));
    const present = [...this.#udpPortals(differing).values()];
    if (gone.length === 0 && present.length === 0) return;
    const ended = gone.map(([, { port, endpoints }]) => ({ port, endpoints: { ...endpoints, reachable: [] } }));
    const stale = stalePortalFlows(await conntrack.list(this.family, 'udp'), [...ended, ...present]);
    if (stale.length > 0) await conntrack.delete(stale);
  }
}
