import type { Candidate } from '../balancer.ts';
import { COUNTER, observeLatency } from '../counters.ts';
import { buildProxyHeader } from '../proxy-protocol.ts';
import {
  encodeSocketAddress,
  type PackedAddress,
  printSocketAddress,
  unpackSocketAddress,
  withoutPort,
} from '../socket-address.ts';
import type { Connection } from '../transport.ts';
import { bindAsClient } from './bind-as-client.ts';
import {
  EINPROGRESS,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  SO_LINGER,
  SOL_SOCKET,
} from './constants.ts';
import { type Engine, NO_LINGER } from './engine.ts';
import type { Handler } from './poller.ts';
import type { TcpListener } from './tcp-listener.ts';
import { TcpSide } from './tcp-side.ts';

const EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
const NONE: readonly Candidate[] = [];

/** One client's connection, and the one to its endpoint. */
export class TcpConnection implements Handler {
  readonly listener: TcpListener;
  readonly client: TcpSide;
  readonly endpoint: TcpSide;
  /** When something was last sent in either direction. */
  lastAt: number;
  bytesIn = 0;
  bytesOut = 0;
  readonly #clientAddress: PackedAddress;
  readonly #startedAt: number;
  #candidate: Candidate | undefined;
  #failed = NONE;
  #attempts = 0;
  #deadline = 0;

  constructor(listener: TcpListener, fd: number, clientAddress: PackedAddress) {
    this.listener = listener;
    this.#clientAddress = clientAddress;
    this.#startedAt = listener.engine.now;
    this.lastAt = this.#startedAt;
    this.client = new TcpSide(this, fd);
    this.endpoint = new TcpSide(this, -1);
    listener.opened.counters[COUNTER.opened]! += 1;
    listener.engine.connections.add(this);
  }

  get engine(): Engine {
    return this.listener.engine;
  }

  /** False when the endpoint left while the connection goes on. */
  get hasEndpoint(): boolean {
    return this.#candidate?.present === true;
  }

  /** When the present attempt to connect is given up; 0 without one. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Chooses an endpoint and connects to it with this socket. */
  connect(fd: number): void {
    const { balancer } = this.listener;
    const candidate = balancer.pick(balancer.needsClient ? withoutPort(this.#clientAddress) : 0, this.engine.now);
    this.endpoint.fd = fd;
    if (candidate === undefined) this.#giveUp();
    else this.#attempt(candidate);
  }

  /** Events of the socket to the endpoint while it is not connected. */
  onEvents(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) this.attemptFailed();
    else if ((events & EPOLLOUT) !== 0) this.#connected(events);
  }

  /** The attempt took too long: another endpoint is tried, or where there is none the same one waited for longer. */
  attemptTimedOut(): void {
    const { engine, listener } = this;
    const { connectTimeoutsMs } = engine.limits;
    const more = connectTimeoutsMs[this.#attempts];
    const isLast = listener.balancer.candidates.every((candidate) =>
      [...this.#failed, this.#candidate].includes(candidate),
    );
    if (more === undefined || !isLast) {
      this.attemptFailed();
      return;
    }
    this.#attempts++;
    this.#deadline = engine.now + more;
  }

  /** Goes on to the next endpoint. */
  attemptFailed(): void {
    const { engine, listener } = this;
    const candidate = this.#candidate!;
    listener.opened.counters[COUNTER.failedAttempts]! += 1;
    this.#leave();
    engine.close(this.endpoint.fd);
    this.endpoint.fd = -1;
    this.#failed = [...this.#failed, candidate];
    const { balancer } = listener;
    const mayGoOn = this.#attempts < engine.limits.connectTimeoutsMs.length;
    const next = mayGoOn
      ? balancer.pickNext(balancer.needsClient ? withoutPort(this.#clientAddress) : 0, this.#failed, engine.now)
      : undefined;
    const fd = next === undefined ? undefined : listener.endpointSocket();
    this.endpoint.fd = fd ?? -1;
    if (next === undefined || fd === undefined) this.#giveUp();
    else this.#attempt(next);
  }

  /** Resets what is still open, and counts why. */
  reset(counter: number): void {
    this.listener.opened.counters[counter]! += 1;
    this.#reset();
  }

  /** Ends both sides in the ordinary way: everything was delivered. */
  finish(): void {
    this.#close();
  }

  describe(): Connection {
    const { listener } = this.listener.opened;
    return {
      node: listener.node,
      protocol: 'tcp',
      service: listener.service,
      client: printSocketAddress(unpackSocketAddress(this.#clientAddress)),
      endpoint: this.#deadline === 0 ? (this.#candidate?.address ?? '') : '',
      ageSeconds: (this.engine.now - this.#startedAt) / 1000,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    };
  }

  #attempt(candidate: Candidate): void {
    const { engine, endpoint } = this;
    const { system, poller, limits } = engine;
    this.#candidate = candidate;
    candidate.active++;
    candidate.encoded ??= encodeSocketAddress({ host: candidate.ip, port: candidate.port });
    this.#deadline = engine.now + (limits.connectTimeoutsMs[this.#attempts++] ?? 0);
    engine.connections.startConnecting(this);
    if (candidate.asClient) bindAsClient(engine, endpoint.fd, { client: this.#clientAddress, endpoint: candidate });
    const result = system.connect(endpoint.fd, candidate.encoded, candidate.encoded.length);
    if (result < 0 && system.errno() !== EINPROGRESS) {
      this.attemptFailed();
      return;
    }
    poller.add(endpoint.fd, EVERYTHING, this);
  }

  #connected(events: number): void {
    const { engine, client, endpoint, listener } = this;
    const startedAt = engine.connections.stopConnecting(this) ?? 0;
    this.#deadline = 0;
    observeLatency(listener.opened.counters, (performance.now() - startedAt) / 1000);
    engine.poller.replace(endpoint.fd, endpoint);
    endpoint.writable = true;
    if (listener.policy.proxyProtocol) client.prepend(this.#proxyHeader());
    client.writable = true;
    engine.poller.add(client.fd, EVERYTHING, client);
    // A server may have spoken first: that it did is told but once.
    endpoint.onEvents(events);
  }

  #proxyHeader(): Uint8Array {
    return buildProxyHeader(unpackSocketAddress(this.#clientAddress), this.listener.opened.listener.destination);
  }

  #leave(): void {
    if (this.#candidate !== undefined) this.#candidate.active--;
    this.#candidate = undefined;
    this.engine.connections.stopConnecting(this);
  }

  #giveUp(): void {
    this.reset(COUNTER.unreachable);
  }

  #reset(): void {
    const { system } = this.engine;
    for (const { fd } of [this.client, this.endpoint]) {
      if (fd !== -1) system.setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
    }
    this.#close();
  }

  #close(): void {
    if (this.client.fd === -1) return;
    this.listener.opened.counters[COUNTER.closed]! += 1;
    this.#leave();
    this.client.close();
    this.endpoint.close();
    this.engine.connections.delete(this);
  }
}
