import { Balancer } from '../balancer.ts';
import { type ClientFilter, clientFilter } from '../client-filter.ts';
import { COUNTER } from '../counters.ts';
import type { ListenerPolicy } from '../listener.ts';
import { decodeSocketAddress, packClient, packSocketAddress, SOCKET_ADDRESS_LENGTH } from '../socket-address.ts';
import { EAGAIN, EPOLLIN, SO_LINGER, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from './constants.ts';
import { type Engine, isExhausted, NO_LINGER, type Task } from './engine.ts';
import { knownClients } from './known-clients.ts';
import type { KnownClients, OpenMessage } from './messages.ts';
import type { Handler } from './poller.ts';
import { TcpConnection } from './tcp-connection.ts';

const ACCEPTS_PER_TURN = 64;

/** One listening socket of a ServicePort in one thread; those of one ServicePort share a balancer. */
export class TcpListener implements Handler, Task {
  readonly engine: Engine;
  readonly opened: OpenMessage;
  readonly balancer: Balancer;
  policy: ListenerPolicy;
  #mayCome: ClientFilter;
  readonly #address = Buffer.alloc(SOCKET_ADDRESS_LENGTH);
  readonly #length = Int32Array.of(SOCKET_ADDRESS_LENGTH);
  readonly #lengthBytes = new Uint8Array(this.#length.buffer);
  // Made before a client is accepted: without a socket to the endpoint the client had better wait in the kernel's queue.
  #spare: number | undefined;
  #isOpen = true;
  #isPaused = false;

  constructor(engine: Engine, opened: OpenMessage, balancer?: Balancer) {
    this.engine = engine;
    this.opened = opened;
    this.policy = opened.listener.policy;
    this.#mayCome = clientFilter(this.policy);
    this.balancer = balancer ?? new Balancer({ random: Math.random, turn: opened.turn }, this.policy);
    engine.own(opened.fd);
    // Accepted sockets inherit it.
    engine.hasten(opened.fd);
    engine.poller.add(opened.fd, EPOLLIN, this);
    for (const [client, endpoint, forMs] of opened.known?.clients ?? [])
      this.balancer.restore([packClient(client), endpoint, forMs], engine.now);
  }

  onEvents(): void {
    const { engine, opened } = this;
    const { system } = engine;
    for (let accepted = 0; accepted < ACCEPTS_PER_TURN; accepted++) {
      this.#spare ??= this.endpointSocket();
      if (this.#spare === undefined) {
        this.#pause();
        return;
      }
      this.#length[0] = SOCKET_ADDRESS_LENGTH;
      const fd = system.accept4(opened.fd, this.#address, this.#lengthBytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        const errno = system.errno();
        if (errno === EAGAIN) return;
        if (isExhausted(errno)) {
          this.#pause();
          return;
        }
        // The client is gone already, or the network said something about it: accept(2) asks to go on.
        continue;
      }
      engine.own(fd);
      if (this.#mayCome?.(decodeSocketAddress(this.#address).host) === false) {
        this.#refuse(fd);
        continue;
      }
      const endpoint = this.#spare;
      this.#spare = undefined;
      new TcpConnection(this, fd, packSocketAddress(this.#address)).connect(endpoint);
    }
  }

  /** Accepts again after a pause. */
  resume(): void {
    if (!this.#isOpen || this.#isPaused) return;
    this.engine.poller.modify(this.opened.fd, EPOLLIN);
  }

  /** A socket for a connection to an endpoint; undefined when descriptors ran out. */
  endpointSocket(): number | undefined {
    const { engine, opened } = this;
    return engine.socket(opened.netns, { v6: opened.listener.family === 'ipv6', type: SOCK_STREAM });
  }

  setPolicy(policy: ListenerPolicy): void {
    this.policy = policy;
    this.#mayCome = clientFilter(policy);
    this.balancer.setPolicy(policy);
    const { drainMs } = this.engine.limits;
    if (drainMs !== undefined) this.engine.schedule({ onTime: () => this.#drain() }, drainMs);
  }

  /** Leaves clients in the kernel's queue until `unpause`, and tells what is known of them. */
  pause(): KnownClients {
    this.#isPaused = true;
    this.engine.poller.modify(this.opened.fd, 0);
    return { clients: knownClients(this.balancer, this.engine.now), flows: [] };
  }

  /** Accepts again. */
  unpause(): void {
    this.#isPaused = false;
    this.resume();
  }

  /** Stops accepting; connections go on. */
  close(): void {
    this.release();
    this.engine.close(this.opened.fd);
  }

  /** Stops accepting, for another thread or process goes on with the socket. */
  release(): void {
    this.#stop();
    this.engine.release(this.opened.fd);
  }

  #stop(): void {
    this.#isOpen = false;
    if (this.#spare !== undefined) this.engine.close(this.#spare);
    this.#spare = undefined;
  }

  #refuse(fd: number): void {
    this.engine.system.setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
    this.engine.close(fd);
  }

  #pause(): void {
    this.opened.counters[COUNTER.exhausted]! += 1;
    this.engine.poller.modify(this.opened.fd, 0);
    this.engine.whenDescriptorsAreFree(this);
  }

  #drain(): undefined {
    for (const connection of this.engine.connections) {
      if (connection.listener === this && !connection.hasEndpoint) connection.reset(COUNTER.drained);
    }
  }
}
