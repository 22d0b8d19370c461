import type { Family } from '../../src/netfilter/runner.ts';
import { createCounters } from '../../src/proxy/userspace/counters.ts';
import type { ListenAddress, Listener, ListenerPolicy } from '../../src/proxy/userspace/listener.ts';
import type { ListenerCounters, NodeSockets, Transport } from '../../src/proxy/userspace/transport.ts';

/** A transport without sockets: listeners get ports from 40000 on. */
export class FakeTransport implements Transport {
  readonly opened = new Map<string, { listener: Listener; readonly address: ListenAddress }>();
  /** What was asked, in order: `open`, `update` and `close` with the listener's id. */
  readonly calls: string[] = [];
  /** Ids whose opening fails. */
  readonly refuses = new Set<string>();
  #port = 40_000;

  open(listener: Listener, _sockets: NodeSockets, { host }: ListenAddress): ListenAddress {
    if (this.refuses.has(listener.id)) throw new Error(`no descriptor for ${listener.id}`);
    this.calls.push(`open ${listener.id}`);
    const address = { host, port: this.#port++ };
    this.opened.set(listener.id, { listener, address });
    return address;
  }

  update(id: string, policy: ListenerPolicy): void {
    this.calls.push(`update ${id}`);
    const open = this.opened.get(id)!;
    open.listener = { ...open.listener, policy };
  }

  close(id: string): void {
    this.calls.push(`close ${id}`);
    this.opened.delete(id);
  }

  listeners(node: string, family: Family): ReadonlyMap<string, ListenAddress> {
    const found = [...this.opened].filter(([, { listener }]) => listener.node === node && listener.family === family);
    return new Map(found.map(([id, { address }]) => [id, address]));
  }

  /** Addresses of the endpoints behind `ip:port` of a listener. */
  targetsOf(address: string): readonly string[] | undefined {
    const found = [...this.opened.values()].find(
      ({ address: { host, port } }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`) === address,
    );
    return found?.listener.policy.targets.map((target) => target.address);
  }

  async connections(): Promise<readonly []> {
    return [];
  }

  counters(node: string): readonly ListenerCounters[] {
    return [...this.opened.values()]
      .filter(({ listener }) => listener.node === node)
      .map(({ listener }) => ({ listener, counters: createCounters() }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Sockets that nothing may be asked of. */
export const NO_SOCKETS: NodeSockets = new Proxy({} as NodeSockets, {
  get: (_target, name) => {
    throw new Error(`${String(name)} was asked of a node without sockets`);
  },
});
