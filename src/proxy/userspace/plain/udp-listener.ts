import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { joinHostPort } from '../../../netfilter/address.ts';
import type { Candidate } from '../balancer.ts';
import { clientFilter } from '../client-filter.ts';
import { COUNTER } from '../counters.ts';
import type { Connection } from '../transport.ts';
import type { PlainContext, PlainListener } from './plain-listener.ts';

/** What waits for a flow's socket at most; more is lost, as in a full socket buffer. */
const LONGEST_QUEUE = 64;

interface Flow {
  readonly client: RemoteInfo;
  readonly candidate: Candidate;
  readonly startedAt: number;
  /** Undefined while it is being made. */
  socket: Socket | undefined;
  waiting: Buffer[];
  lastAt: number;
  bytesIn: number;
  bytesOut: number;
}

/** Relays the datagrams of one UDP listener: each client has a flow with a socket of its own, connected to an endpoint. */
export class UdpListener implements PlainListener {
  readonly #context: PlainContext;
  readonly #socket: Socket;
  readonly #flows = new Map<string, Flow>();
  readonly #closed = Promise.withResolvers<void>();
  #sweep: Disposable | undefined;
  #isClosed = false;

  constructor(fd: number, context: PlainContext) {
    this.#context = context;
    const type = context.listener.family === 'ipv4' ? 'udp4' : 'udp6';
    this.#socket = createSocket({ type, recvBufferSize: 4 << 20 });
    this.#socket.on('message', (message, client) => this.#receive(message, client));
    // A client that is gone is its own affair: its ICMP errors come back to this socket.
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') context.onError(error);
    });
    this.#socket.on('close', () => this.#closed.resolve());
    this.#socket.bind({ fd });
  }

  update(): void {
    for (const [key, flow] of this.#flows) if (!flow.candidate.present) this.#end(key, flow);
  }

  close(): Promise<void> {
    return this.abort();
  }

  async abort(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#sweep?.[Symbol.dispose]();
      for (const [key, flow] of this.#flows) this.#end(key, flow);
      this.#socket.close();
    }
    await this.#closed.promise;
  }

  connections(): readonly Connection[] {
    const { listener, clock } = this.#context;
    const now = clock.now();
    return [...this.#flows.values()].map(({ client, candidate, startedAt, bytesIn, bytesOut }) => ({
      node: listener.node,
      protocol: 'udp',
      service: listener.service,
      client: joinHostPort(client.address, client.port),
      endpoint: candidate.address,
      ageSeconds: (now - startedAt) / 1000,
      bytesIn,
      bytesOut,
    }));
  }

  #receive(message: Buffer, client: RemoteInfo): void {
    const { counters, clock, listener } = this.#context;
    if (clientFilter(listener.policy)?.(client.address) === false) return;
    const key = `${client.address} ${client.port}`;
    const flow = this.#flows.get(key) ?? this.#begin(key, client);
    counters[COUNTER.datagramsIn]! += 1;
    if (flow === undefined) {
      this.#refuse(client);
      return;
    }
    flow.lastAt = clock.now();
    flow.bytesIn += message.length;
    counters[COUNTER.bytesIn]! += message.length;
    if (flow.socket !== undefined) flow.socket.send(message, (error) => this.#failed(key, flow, error));
    else if (flow.waiting.length < LONGEST_QUEUE) flow.waiting.push(message);
  }

  #begin(key: string, client: RemoteInfo): Flow | undefined {
    const { balancer, clock, counters, sockets, listener, onError } = this.#context;
    const now = clock.now();
    const candidate = balancer.pick(client.address, now);
    if (candidate === undefined) return undefined;
    const numbers = { startedAt: now, lastAt: now, bytesIn: 0, bytesOut: 0 };
    const flow: Flow = { client, candidate, socket: undefined, waiting: [], ...numbers };
    this.#flows.set(key, flow);
    candidate.active++;
    counters[COUNTER.opened]! += 1;
    this.#sweep ??= this.#scheduleSweep();
    sockets.udpSocket(listener.family).then(
      (socket) => this.#connect(key, flow, socket),
      (error: unknown) => {
        onError(error);
        this.#end(key, flow);
      },
    );
    return flow;
  }

  #connect(key: string, flow: Flow, socket: Socket): void {
    const { counters, clock } = this.#context;
    if (this.#flows.get(key) !== flow) {
      socket.close();
      return;
    }
    socket.on('message', (message) => {
      flow.lastAt = clock.now();
      flow.bytesOut += message.length;
      counters[COUNTER.bytesOut]! += message.length;
      counters[COUNTER.datagramsOut]! += 1;
      // Raw packets may say that they come from port 0, where nobody is.
      if (!this.#isClosed && flow.client.port !== 0) this.#socket.send(message, flow.client.port, flow.client.address);
    });
    socket.on('error', (error) => {
      if (flow.socket === undefined) socket.close();
      this.#failed(key, flow, error);
    });
    socket.once('connect', () => {
      if (this.#flows.get(key) !== flow) {
        socket.close();
        return;
      }
      flow.socket = socket;
      for (const message of flow.waiting) socket.send(message, (error) => this.#failed(key, flow, error));
      flow.waiting = [];
    });
    // A callback would be called where there is no way, too.
    socket.connect(flow.candidate.port, flow.candidate.ip);
  }

  // The endpoint's host says that nobody listens there: the client is told the same, and its next datagram starts anew.
  #failed(key: string, flow: Flow, error: Error | null): void {
    if (error === null || this.#flows.get(key) !== flow) return;
    this.#context.counters[COUNTER.failedAttempts]! += 1;
    this.#end(key, flow);
    this.#refuse(flow.client);
  }

  #refuse(client: RemoteInfo): void {
    const { sockets, listener, address, counters, onError } = this.#context;
    counters[COUNTER.unreachable]! += 1;
    try {
      sockets.sendUnreachable({
        family: listener.family,
        client: { host: client.address, port: client.port },
        listener: address,
      });
    } catch (error) {
      onError(error);
    }
  }

  #end(key: string, flow: Flow): void {
    this.#flows.delete(key);
    flow.candidate.active--;
    this.#context.counters[COUNTER.closed]! += 1;
    flow.socket?.close();
  }

  #scheduleSweep(): Disposable {
    const { clock, limits, counters } = this.#context;
    return clock.schedule(limits.udpIdleMs / 2, () => {
      const latest = clock.now() - limits.udpIdleMs;
      for (const [key, flow] of this.#flows) {
        if (flow.lastAt > latest) continue;
        counters[COUNTER.idle]! += 1;
        this.#end(key, flow);
      }
      this.#sweep = this.#flows.size === 0 ? undefined : this.#scheduleSweep();
    });
  }
}
