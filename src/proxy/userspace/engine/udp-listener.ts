import { Balancer, type Candidate } from '../balancer.ts';
import { type ClientFilter, clientFilter } from '../client-filter.ts';
import { COUNTER } from '../counters.ts';
import type { ListenAddress, ListenerPolicy } from '../listener.ts';
import {
  decodeSocketAddress,
  encodeSocketAddress,
  packClient,
  packSocketAddress,
  printSocketAddress,
  withoutPort,
} from '../socket-address.ts';
import type { Connection } from '../transport.ts';
import { EPOLLIN, MSG_DONTWAIT, MSG_NOSIGNAL, SO_RCVBUF, SO_RCVBUFFORCE, SOCK_DGRAM, SOL_SOCKET } from './constants.ts';
import type { Engine, Task, Timed } from './engine.ts';
import { knownClients } from './known-clients.ts';
import type { KnownClients, OpenMessage } from './messages.ts';
import type { Handler } from './poller.ts';
import type { UdpBatches } from './udp-batches.ts';
import { UdpFlow } from './udp-flow.ts';

const BATCHES_PER_TURN = 4;
const RECEIVE_BUFFER = new Uint8Array(Int32Array.of(4 << 20).buffer);

export interface UdpListenerOptions {
  readonly batches: UdpBatches;
  /** Told of clients that should hear that nobody listens. */
  readonly onUnreachable: (client: ListenAddress) => void;
  /** That of the other sockets of the same ServicePort in this thread. */
  readonly balancer: Balancer | undefined;
}

/** The socket that the clients of a UDP ServicePort send to, in one thread. */
export class UdpListener implements Handler, Timed, Task {
  readonly engine: Engine;
  readonly opened: OpenMessage;
  readonly balancer: Balancer;
  readonly #options: UdpListenerOptions;
  readonly #flows = new Map<string | number, UdpFlow>();
  #mayCome: ClientFilter;
  /** Sockets of flows that ended during a pause: another process may be about to get them. */
  #held: number[] | undefined;

  constructor(engine: Engine, opened: OpenMessage, options: UdpListenerOptions) {
    this.engine = engine;
    this.opened = opened;
    this.#options = options;
    this.balancer =
      options.balancer ?? new Balancer({ random: Math.random, turn: opened.turn }, opened.listener.policy);
    this.#mayCome = clientFilter(opened.listener.policy);
    engine.own(opened.fd);
    this.#enlarge(opened.fd);
    engine.poller.add(opened.fd, EPOLLIN, this);
    this.#goOn(opened.known ?? { clients: [], flows: [] });
  }

  get batches(): UdpBatches {
    return this.#options.batches;
  }

  onEvents(): void {
    const { batches } = this;
    const { inbound } = batches;
    for (let turn = 0; turn < BATCHES_PER_TURN; turn++) {
      inbound.prepare(0, inbound.size);
      const count = this.engine.system.recvmmsg(this.opened.fd, inbound.header(0), inbound.size, MSG_DONTWAIT, null);
      // Errors here are ICMP messages of clients that are gone; taking them is all that they want.
      if (count <= 0) return;
      this.#distribute(count);
      if (count < inbound.size) return;
    }
  }

  /** Sends the answers that gathered. */
  resume(): void {
    this.batches.flushReplies(this);
  }

  onTime(now: number): number | undefined {
    const { udpIdleMs } = this.engine.limits;
    for (const flow of this.#flows.values()) {
      if (now - flow.lastAt < udpIdleMs) continue;
      this.opened.counters[COUNTER.idle]! += 1;
      this.end(flow);
    }
    return this.#flows.size === 0 ? undefined : udpIdleMs / 4;
  }

  setPolicy(policy: ListenerPolicy): void {
    this.balancer.setPolicy(policy);
    this.#mayCome = clientFilter(policy);
    for (const flow of this.#flows.values()) if (!flow.candidate.present) this.end(flow);
  }

  /** Leaves datagrams in the kernel's queue until `unpause`, and tells what is known of clients. Answers are passed on as before. */
  pause(): KnownClients {
    this.#held = [];
    this.engine.poller.remove(this.opened.fd);
    const flows = Array.from(this.#flows.values(), ({ client, candidate, fd }) => ({
      client: decodeSocketAddress(client),
      endpoint: candidate.address,
      descriptor: fd,
      socket: 0,
    }));
    return { clients: knownClients(this.balancer, this.engine.now), flows };
  }

  /** Receives again. What was opened since the pause receives already. */
  unpause(): void {
    if (this.#held === undefined) return;
    this.#closeHeld();
    this.engine.poller.add(this.opened.fd, EPOLLIN, this);
  }

  close(): void {
    // Answers that came in this turn still leave.
    this.batches.flushReplies(this);
    this.#endAll();
    this.#closeHeld();
    this.engine.poller.remove(this.opened.fd);
    this.engine.close(this.opened.fd);
  }

  release(): void {
    this.#endAll();
    this.engine.release(this.opened.fd);
  }

  /** Ends a flow whose endpoint says that nobody listens; the client is told the same. */
  refused(flow: UdpFlow): void {
    this.opened.counters[COUNTER.failedAttempts]! += 1;
    this.end(flow);
    this.#refuse(flow.client);
  }

  end(flow: UdpFlow): void {
    this.#flows.delete(flow.key);
    flow.candidate.active--;
    this.opened.counters[COUNTER.closed]! += 1;
    flow.isOpen = false;
    if (this.#held === undefined) {
      this.engine.close(flow.fd);
      return;
    }
    this.engine.poller.remove(flow.fd);
    this.#held.push(flow.fd);
  }

  *describe(): Iterable<Connection> {
    const { listener } = this.opened;
    for (const flow of this.#flows.values()) {
      yield {
        node: listener.node,
        protocol: 'udp',
        service: listener.service,
        client: printSocketAddress(decodeSocketAddress(flow.client)),
        endpoint: flow.candidate.address,
        ageSeconds: (this.engine.now - flow.startedAt) / 1000,
        bytesIn: flow.bytesIn,
        bytesOut: flow.bytesOut,
      };
    }
  }

  // Gathers the datagrams of each flow, for one call sends all that go to one socket.
  #distribute(count: number): void {
    const { inbound } = this.batches;
    const { counters } = this.opened;
    let touched: UdpFlow[] | undefined;
    for (let index = 0; index < count; index++) {
      const key = inbound.senderOf(index);
      const flow = this.#flows.get(key) ?? this.#begin(key, index);
      const length = inbound.lengthOf(index);
      counters[COUNTER.datagramsIn]! += 1;
      if (flow === undefined) continue;
      counters[COUNTER.bytesIn]! += length;
      flow.bytesIn += length;
      flow.lastAt = this.engine.now;
      if (flow.gathered.length === 0) {
        touched ??= [];
        touched.push(flow);
      }
      flow.gathered.push(index);
    }
    for (const flow of touched ?? []) this.#forward(flow);
  }

  #forward(flow: UdpFlow): void {
    const { inbound, outbound } = this.batches;
    const { gathered } = flow;
    for (const [at, index] of gathered.entries()) {
      outbound.setBytes(at, inbound, index);
      outbound.setLength(at, inbound.lengthOf(index));
    }
    const count = gathered.length;
    gathered.length = 0;
    if (!flow.isOpen) return;
    const { system } = this.engine;
    const sent = system.sendmmsg(flow.fd, outbound.header(0), count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) flow.sendFailed(system.errno());
  }

  #begin(key: string | number, index: number): UdpFlow | undefined {
    const { engine, balancer, opened } = this;
    const client = this.batches.inbound.copyName(index);
    if (this.#mayCome?.(decodeSocketAddress(client).host) === false) return undefined;
    const candidate = balancer.pick(balancer.needsClient ? withoutPort(key) : 0, engine.now);
    if (candidate === undefined) {
      this.#refuse(client);
      return undefined;
    }
    const fd = engine.socket(opened.netns, { v6: opened.listener.family === 'ipv6', type: SOCK_DGRAM });
    if (fd === undefined) {
      // The datagram is lost, as when the kernel has no room.
      opened.counters[COUNTER.exhausted]! += 1;
      return undefined;
    }
    return this.#connect(candidate, { key, client, fd });
  }

  #connect(candidate: Candidate, { key, client, fd }: Pick<UdpFlow, 'key' | 'client' | 'fd'>): UdpFlow | undefined {
    const { engine, opened } = this;
    candidate.encoded ??= encodeSocketAddress({ host: candidate.ip, port: candidate.port });
    if (engine.system.connect(fd, candidate.encoded, candidate.encoded.length) < 0) {
      opened.counters[COUNTER.failedAttempts]! += 1;
      engine.close(fd);
      this.#refuse(client);
      return undefined;
    }
    this.#enlarge(fd);
    return this.#add(new UdpFlow(this, candidate, { key, client, fd }));
  }

  #add(flow: UdpFlow): UdpFlow {
    const { engine } = this;
    if (this.#flows.size === 0) engine.schedule(this, engine.limits.udpIdleMs / 4);
    this.#flows.set(flow.key, flow);
    flow.candidate.active++;
    this.opened.counters[COUNTER.opened]! += 1;
    engine.poller.add(flow.fd, EPOLLIN, flow);
    return flow;
  }

  // What another process carried.
  #goOn({ clients, flows }: KnownClients): void {
    const { engine, balancer } = this;
    for (const [client, endpoint, forMs] of clients)
      balancer.restore([packClient(client), endpoint, forMs], engine.now);
    for (const { client: address, endpoint, descriptor: fd } of flows) {
      engine.own(fd);
      const candidate = balancer.candidates.find((each) => each.address === endpoint);
      const client = encodeSocketAddress(address);
      if (candidate === undefined) engine.close(fd);
      else this.#add(new UdpFlow(this, candidate, { key: packSocketAddress(client), client, fd }));
    }
  }

  #closeHeld(): void {
    for (const fd of this.#held ?? []) this.engine.close(fd);
    this.#held = undefined;
  }

  #refuse(client: Buffer): void {
    this.opened.counters[COUNTER.unreachable]! += 1;
    this.#options.onUnreachable(decodeSocketAddress(client));
  }

  // Bursts that meet the default would be lost. Beyond the machine's limit only an administrator may go.
  #enlarge(fd: number): void {
    const { system } = this.engine;
    if (system.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER, 4) < 0) {
      system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER, 4);
    }
  }

  #endAll(): void {
    this.engine.unschedule(this);
    for (const flow of this.#flows.values()) this.end(flow);
  }
}
