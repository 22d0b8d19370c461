import type { Clock, Random } from '../../../kube/clock.ts';
import type { Family } from '../../../netfilter/runner.ts';
import { Balancer, createTurn } from '../balancer.ts';
import { createCounters } from '../counters.ts';
import type { ListenAddress, Listener, ListenerPolicy } from '../listener.ts';
import type { Connection, ListenerCounters, NodeSockets, Transport, TransportLimits } from '../transport.ts';
import type { PlainContext, PlainListener } from './plain-listener.ts';
import { TcpListener } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

export interface PlainTransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: TransportLimits;
  /** Told of sockets that fail by themselves. */
  readonly onError: (error: unknown) => void;
}

interface OpenListener {
  readonly context: PlainContext;
  readonly serving: PlainListener;
}

/** Carries traffic with Node's own sockets, in the main thread: for machines on which the engine does not run. */
export class PlainTransport implements Transport {
  readonly #options: PlainTransportOptions;
  readonly #open = new Map<string, OpenListener>();
  /** Closed, with connections that go on. */
  readonly #leaving = new Set<OpenListener>();

  constructor(options: PlainTransportOptions) {
    this.#options = options;
  }

  open(listener: Listener, sockets: NodeSockets, address: ListenAddress): ListenAddress {
    const { clock, random, limits, onError } = this.#options;
    const isTcp = listener.protocol === 'tcp';
    const fd = isTcp ? sockets.listenTcp(address) : sockets.bindUdp(address);
    const bound = { host: address.host, port: sockets.localPort(fd) };
    const balancer = new Balancer({ random, turn: createTurn() }, listener.policy);
    const counters = createCounters();
    const context: PlainContext = { listener, address: bound, sockets, balancer, counters, clock, limits, onError };
    const serving = isTcp ? new TcpListener(fd, context) : new UdpListener(fd, context);
    this.#open.set(listener.id, { context, serving });
    return bound;
  }

  update(id: string, policy: ListenerPolicy): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    const { context, serving } = open;
    context.listener = { ...context.listener, policy };
    context.balancer.setPolicy(policy);
    serving.update();
  }

  close(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#leaving.add(open);
    open.context.balancer.setPolicy({ ...open.context.listener.policy, targets: [] });
    void open.serving.close().then(() => this.#leaving.delete(open));
  }

  listeners(node: string, family: Family): ReadonlyMap<string, ListenAddress> {
    const found = [...this.#open.values()].filter(
      ({ context: { listener } }) => listener.node === node && listener.family === family,
    );
    return new Map(found.map(({ context: { listener, address } }) => [listener.id, address]));
  }

  async connections(): Promise<readonly Connection[]> {
    return [...this.#open.values(), ...this.#leaving].flatMap(({ serving }) => serving.connections());
  }

  counters(node: string): readonly ListenerCounters[] {
    return [...this.#open.values()]
      .map(({ context }) => context)
      .filter(({ listener }) => listener.node === node)
      .map(({ listener, counters }) => ({ listener, counters }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#open.values(), ...this.#leaving];
    for (const id of [...this.#open.keys()]) this.close(id);
    await Promise.all(all.map(({ serving }) => serving.abort()));
  }
}
