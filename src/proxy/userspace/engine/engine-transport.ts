import { closeSync } from 'node:fs';
import type { Family } from '../../../netfilter/runner.ts';
import { createTurn } from '../balancer.ts';
import { addCounters, type Counters, createCounters } from '../counters.ts';
import type { ListenAddress, Listener, ListenerPolicy } from '../listener.ts';
import type { MovableTransport, MovedClients, MovedListener } from '../movable-transport.ts';
import type { Connection, ListenerCounters, NodeSockets, TransportLimits } from '../transport.ts';
import { EngineThread } from './engine-thread-handle.ts';
import type { EngineAnswer, EngineReport, KnownClients, Namespace, OpenMessage } from './messages.ts';
import { loadSystem, type System } from './system.ts';

export interface EngineTransportOptions {
  readonly limits: TransportLimits;
  /** How many threads share the work; at least 1. */
  readonly threads: number;
  /** True where all clients and endpoints are on this machine: their links are not shared, and nothing is gained by pacing. */
  readonly isLocal: boolean;
  readonly onError: (error: unknown) => void;
}

const REPLACE_MS = 1000;

interface OpenListener {
  listener: Listener;
  readonly address: ListenAddress;
  readonly sockets: NodeSockets;
  readonly turn: Int32Array<SharedArrayBuffer>;
  /** Listening sockets, as many as there are threads: the kernel spreads over them. */
  readonly shares: readonly Share[];
}

interface Share {
  readonly fd: number;
  readonly counters: Counters;
}

/**
 * Carries traffic by threads that each run an event loop on system calls of their own: less processor time than Node's sockets,
 * and nothing of it in the main thread. Throws at once where koffi does not run.
 */
export class EngineTransport implements MovableTransport {
  readonly #options: EngineTransportOptions;
  readonly #system: System = loadSystem();
  readonly #open = new Map<string, OpenListener>();
  // Descriptors are used again for other namespaces.
  readonly #namespaces = new WeakMap<NodeSockets, Namespace>();
  #lastNamespace = 0;
  #threads: EngineThread[];
  readonly #retiring = new Set<EngineThread>();
  /** Listeners of another process that still serves them. */
  readonly #adopted = new Set<OpenListener>();
  /** When the thread of each place was last replaced, or could not be. */
  readonly #replacedAt: number[] = [];

  constructor(options: EngineTransportOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.threads }, (_, index) => this.#start(index));
  }

  open(listener: Listener, sockets: NodeSockets, address: ListenAddress): ListenAddress {
    const shares: Share[] = [];
    let bound = address;
    try {
      for (let index = 0; index < this.#threads.length; index++) {
        const options = { ...bound, reusePort: true };
        const fd = listener.protocol === 'tcp' ? sockets.listenTcp(options) : sockets.bindUdp(options);
        shares.push({ fd, counters: createCounters() });
        bound = { host: address.host, port: sockets.localPort(fd) };
      }
    } catch (error) {
      for (const { fd } of shares) closeSync(fd);
      throw error;
    }
    const open = { listener, address: bound, sockets, turn: createTurn(), shares };
    this.#open.set(listener.id, open);
    for (const share of shares) this.#give(open, share);
    return bound;
  }

  update(id: string, policy: ListenerPolicy): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    const before = open.shares.map((share) => this.#threadOf(open, share));
    open.listener = { ...open.listener, policy };
    if (this.#adopted.has(open)) return;
    for (const thread of this.#threads) thread.send({ kind: 'update', id, policy });
    // A socket that another thread serves from now on stays open: what waits in it is not lost.
    for (const [index, share] of open.shares.entries()) {
      if (before[index] === this.#threadOf(open, share)) continue;
      before[index]?.send({ kind: 'release', id, fd: share.fd });
      this.#give(open, share);
    }
  }

  close(id: string): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#closeUnserved(open);
    if (!this.#adopted.delete(open)) for (const thread of this.#threads) thread.send({ kind: 'close', id });
  }

  listeners(node: string, family: Family): ReadonlyMap<string, ListenAddress> {
    const found = [...this.#open.values()].filter(
      ({ listener }) => listener.node === node && listener.family === family,
    );
    return new Map(found.map(({ listener, address }) => [listener.id, address]));
  }

  async connections(): Promise<readonly Connection[]> {
    const lists = await Promise.all([...this.#threads, ...this.#retiring].map((thread) => thread.list()));
    return lists.flat();
  }

  counters(node: string): readonly ListenerCounters[] {
    return [...this.#open.values()]
      .filter(({ listener }) => listener.node === node)
      .map(({ listener, shares }) => ({ listener, counters: addCounters(shares.map(({ counters }) => counters)) }));
  }

  /**
   * Goes on with new threads: they take the listening sockets over, no connection is refused meanwhile, and the old threads end
   * when the connections that they have do.
   */
  reload(): void {
    const old = this.#threads;
    this.#threads = old.map((_, index) => this.#start(index));
    for (const thread of old) {
      this.#retiring.add(thread);
      thread.send({ kind: 'retire' });
    }
    for (const open of this.#open.values()) for (const share of open.shares) this.#give(open, share);
  }

  share(): readonly MovedListener[] {
    return Array.from(this.#open.values(), ({ listener, address, shares }) => ({
      listener: { ...listener, policy: { ...listener.policy, targets: [] } },
      address,
      descriptors: shares.map(({ fd }) => fd),
    }));
  }

  adopt(moved: readonly MovedListener[], sockets: NodeSockets): (clients: readonly MovedClients[]) => void {
    const adopted = moved.map(({ listener, address, descriptors }): OpenListener => {
      const shares = descriptors.map((fd) => ({ fd, counters: createCounters() }));
      return { listener, address, sockets, turn: createTurn(), shares };
    });
    for (const open of adopted) {
      this.#open.set(open.listener.id, open);
      this.#adopted.add(open);
    }
    return (clients) => {
      const known = new Map(clients.map((each) => [each.id, each]));
      for (const open of adopted) if (this.#adopted.delete(open)) this.#begin(open, known.get(open.listener.id));
    };
  }

  async pause(): Promise<readonly MovedClients[]> {
    const told = (await Promise.all(this.#threads.map((thread) => thread.pause()))).flat();
    const byId = Map.groupBy(told, ({ id }) => id);
    return Array.from(this.#open.values(), ({ listener: { id }, turn, shares }) => {
      const known = byId.get(id) ?? [];
      return {
        id,
        turn: Atomics.load(turn, 0),
        // Sockets that one thread serves have one table of clients.
        clients: known[0]?.clients ?? [],
        flows: known.flatMap(({ fd, flows }) =>
          flows.map((flow) => ({ ...flow, socket: shares.findIndex((share) => share.fd === fd) })),
        ),
      };
    });
  }

  resume(): void {
    for (const thread of this.#threads) thread.send({ kind: 'resume' });
  }

  async retire(): Promise<void> {
    for (const id of [...this.#open.keys()]) this.close(id);
    for (const thread of this.#threads) thread.send({ kind: 'retire' });
    await Promise.all([...this.#threads, ...this.#retiring].map(({ ended }) => ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const open of this.#open.values()) this.#closeUnserved(open);
    this.#adopted.clear();
    this.#open.clear();
    const all = [...this.#threads, ...this.#retiring];
    this.#threads = [];
    for (const thread of all) thread.send({ kind: 'stop' });
    await Promise.all(all.map(({ ended }) => ended));
  }

  #start(index: number): EngineThread {
    const thread = new EngineThread(this.#system, {
      limits: this.#options.limits,
      isLocal: this.#options.isLocal,
      onReport: (report) => this.#told(report),
      onDied: (error) => this.#died(index, thread, error),
    });
    void thread.ended.then(() => this.#retiring.delete(thread));
    return thread;
  }

  // What died by a fault of ours lost its connections; its listening sockets are still there.
  #died(index: number, thread: EngineThread, error: unknown): void {
    this.#options.onError(error);
    const listening = new Set([...this.#open.values()].flatMap(({ shares }) => shares.map(({ fd }) => fd)));
    thread.closeLeftovers(listening);
    this.#replace(index, thread);
  }

  // At once, but not again and again: what keeps threads from living may last.
  #replace(index: number, dead: EngineThread): void {
    if (this.#threads[index] !== dead) return;
    const now = performance.now();
    const wait = (this.#replacedAt[index] ?? Number.NEGATIVE_INFINITY) + REPLACE_MS - now;
    if (wait > 0) {
      setTimeout(() => this.#replace(index, dead), wait).unref();
      return;
    }
    this.#replacedAt[index] = now;
    try {
      this.#serveBy(index, this.#start(index));
    } catch (error) {
      this.#options.onError(error);
      this.#replace(index, dead);
    }
  }

  #serveBy(index: number, thread: EngineThread): void {
    this.#threads[index] = thread;
    for (const open of this.#open.values()) {
      if (this.#adopted.has(open)) continue;
      for (const share of open.shares) if (this.#threadOf(open, share) === thread) this.#give(open, share);
    }
  }

  // Whoever serves a socket closes it.
  #closeUnserved(open: OpenListener): void {
    for (const share of open.shares)
      if (this.#adopted.has(open) || this.#threadOf(open, share)?.isRunning === false) closeSync(share.fd);
  }

  #begin(open: OpenListener, moved: MovedClients | undefined): void {
    Atomics.store(open.turn, 0, moved?.turn ?? 0);
    for (const [index, share] of open.shares.entries()) {
      const flows = moved?.flows.filter(({ socket }) => socket === index) ?? [];
      // Where clients are known, one thread serves all sockets with one balancer.
      this.#give(open, share, { clients: index === 0 ? (moved?.clients ?? []) : [], flows });
    }
  }

  #give(open: OpenListener, share: Share, known?: KnownClients): void {
    const { listener, address, sockets, turn } = open;
    const netns = this.#namespaceOf(sockets);
    const message: OpenMessage = { kind: 'open', listener, address, netns, turn, ...share, ...(known && { known }) };
    this.#threadOf(open, share)?.send(message);
  }

  #namespaceOf(sockets: NodeSockets): Namespace {
    const known = this.#namespaces.get(sockets);
    if (known !== undefined) return known;
    const namespace = { fd: sockets.netns, id: ++this.#lastNamespace };
    this.#namespaces.set(sockets, namespace);
    return namespace;
  }

  // What one thread knows of clients and connections the others do not: session affinity and fewest connections stay in one.
  #threadOf({ listener: { policy }, shares }: OpenListener, share: Share): EngineThread | undefined {
    const isShared = policy.affinitySeconds === 0 && policy.balancing !== 'least-connections';
    // Another process may have had more threads, or fewer.
    return this.#threads[isShared ? shares.indexOf(share) % this.#threads.length : 0];
  }

  #told(report: Exclude<EngineReport, EngineAnswer>): void {
    if (report.kind === 'error') {
      this.#options.onError(report.error);
      return;
    }
    const open = this.#open.get(report.id);
    if (open === undefined) return;
    const { listener, address, sockets } = open;
    try {
      sockets.sendUnreachable({ family: listener.family, client: report.client, listener: address });
    } catch (error) {
      this.#options.onError(error);
    }
  }
}
