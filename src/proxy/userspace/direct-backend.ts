import type { Family } from '../../netfilter/runner.ts';
import type { ProxyBackend, ProxyState, QuarantinedPort, SyncReport } from '../proxy-backend.ts';
import { buildDirectListeners, type DirectListener } from './build-direct-listeners.ts';
import type { NodeSockets, Transport } from './transport.ts';

/** Userspace mode without rules: sockets listen on the addresses of Services, which the node claims for itself. */
export class DirectBackend implements ProxyBackend {
  readonly family: Family;
  readonly #transport: Transport;
  readonly #sockets: NodeSockets;
  readonly #open = new Map<string, readonly DirectListener[]>();
  readonly #failed = new Map<string, QuarantinedPort>();
  /** Addresses that were not the node's, with how many listeners are on them. */
  readonly #claims = new Map<string, number>();

  constructor(
    family: Family,
    { transport, sockets }: { readonly transport: Transport; readonly sockets: NodeSockets },
  ) {
    this.family = family;
    this.#transport = transport;
    this.#sockets = sockets;
  }

  async sync(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const keys = changed === 'all' ? [...state.ports.keys(), ...this.#open.keys()] : changed;
    let written = 0;
    for (const key of new Set([...keys, ...this.#failed.keys()])) written += this.#look(state, key);
    const total = [...this.#open.values()].reduce((sum, listeners) => sum + listeners.length, 0);
    return {
      kind: changed === 'all' ? 'full' : 'partial',
      quarantined: [...this.#failed.values()],
      hidingClients: [...state.ports.values()]
        .filter(({ port }) => port.preservesClient === true && port.protocol === 'tcp')
        .map(({ port: { key } }) => ({ key, cause: new Error('replies are led back to the proxy by rules only') })),
      rules: { listeners: { total, written } },
    };
  }

  async isIntact(): Promise<boolean> {
    return true;
  }

  async cleanup(): Promise<void> {
    for (const listeners of this.#open.values()) for (const listener of listeners) this.#close(listener);
    this.#open.clear();
    this.#failed.clear();
  }

  // Tells how many listeners were opened or closed.
  #look({ node, ports }: ProxyState, key: string): number {
    const selected = ports.get(key);
    const before = new Map((this.#open.get(key) ?? []).map((each) => [each.listener.id, each]));
    const wanted = selected === undefined ? [] : buildDirectListeners(selected, node);
    const open: DirectListener[] = [];
    let written = 0;
    this.#failed.delete(key);
    const ids = new Set(wanted.map(({ listener }) => listener.id));
    for (const [id, listener] of before) if (!ids.has(id)) written += this.#close(listener);
    for (const each of wanted) {
      if (before.has(each.listener.id)) this.#transport.update(each.listener.id, each.listener.policy);
      else if (!this.#tryOpen(key, each)) continue;
      else written++;
      open.push(each);
    }
    if (open.length === 0) this.#open.delete(key);
    else this.#open.set(key, open);
    return written;
  }

  #tryOpen(key: string, { listener, address, isClaimed }: DirectListener): boolean {
    try {
      if (isClaimed) this.#claim(address.host);
      this.#transport.open(listener, this.#sockets, address);
      return true;
    } catch (cause) {
      if (isClaimed) this.#unclaim(address.host);
      this.#failed.set(key, { key, cause });
      return false;
    }
  }

  #close({ listener, address, isClaimed }: DirectListener): number {
    this.#transport.close(listener.id);
    if (isClaimed) this.#unclaim(address.host);
    return 1;
  }

  #claim(host: string): void {
    const users = this.#claims.get(host);
    if (users !== undefined) this.#claims.set(host, users + 1);
    else if (this.#sockets.claim(host)) this.#claims.set(host, 1);
  }

  #unclaim(host: string): void {
    const users = this.#claims.get(host);
    if (users === undefined) return;
    if (users > 1) {
      this.#claims.set(host, users - 1);
      return;
    }
    this.#claims.delete(host);
    this.#sockets.unclaim(host);
  }
}
