import type { Balancer } from '../balancer.ts';
import { COUNTER } from '../counters.ts';
import type { Connection } from '../transport.ts';
import { EPOLLIN } from './constants.ts';
import { Engine } from './engine.ts';
import type { EngineMessage, EngineReport, EngineStart, OpenMessage, SocketClients } from './messages.ts';
import type { Handler } from './poller.ts';
import type { System } from './system.ts';
import { TcpListener } from './tcp-listener.ts';
import { UdpBatches } from './udp-batches.ts';
import { UdpListener } from './udp-listener.ts';

/** How a thread hears from the main thread and answers. */
export interface ControlPort {
  /** The next message that waits; undefined when there is none. */
  receive(): EngineMessage | undefined;
  send(report: EngineReport): void;
}

/** Does in a thread what the main thread says: opens and closes listeners, lists connections. */
export class ThreadControl implements Handler {
  readonly #engine: Engine;
  readonly #port: ControlPort;
  readonly #wake: number;
  // One for each listening socket that this thread serves; those of one listener choose endpoints together.
  readonly #listeners = new Map<string, readonly (TcpListener | UdpListener)[]>();
  readonly #word = new Uint8Array(8);
  #batches: UdpBatches | undefined;

  constructor(system: System, { wake, ...options }: EngineStart, port: ControlPort) {
    this.#port = port;
    this.#wake = wake;
    const onError = (error: unknown): void => port.send({ kind: 'error', error });
    this.#engine = new Engine({ system, onError, ...options });
    this.#engine.poller.add(wake, EPOLLIN, this);
  }

  /** Runs until it is told to end. */
  run(): void {
    this.#engine.run();
  }

  onEvents(): void {
    this.#engine.system.read(this.#wake, this.#word, this.#word.length);
    for (let message = this.#port.receive(); message !== undefined; message = this.#port.receive())
      this.#attempt(message);
  }

  // One listener that cannot be served does not keep the others from being opened.
  #attempt(message: EngineMessage): void {
    try {
      this.#obey(message);
    } catch (error) {
      this.#engine.report(error);
    }
  }

  #obey(message: EngineMessage): void {
    switch (message.kind) {
      case 'open':
        this.#open(message);
        break;
      case 'update':
        for (const listener of this.#of(message.id)) listener.setPolicy(message.policy);
        break;
      case 'close':
        for (const listener of this.#of(message.id)) listener.close();
        this.#forget(message.id, this.#of(message.id));
        break;
      case 'release':
        this.#release(message);
        break;
      case 'retire':
        this.#engine.stopWhenIdle();
        for (const listener of this.#all()) listener.release();
        this.#listeners.clear();
        break;
      case 'pause':
        this.#port.send({ kind: 'paused', request: message.request, clients: this.#pause() });
        break;
      case 'resume':
        for (const listener of this.#all()) listener.unpause();
        break;
      case 'list':
        this.#port.send({ kind: 'connections', request: message.request, connections: this.#list() });
        break;
      case 'stop':
        this.#stop();
    }
  }

  #of(id: string): readonly (TcpListener | UdpListener)[] {
    return this.#listeners.get(id) ?? [];
  }

  #all(): readonly (TcpListener | UdpListener)[] {
    return [...this.#listeners.values()].flat();
  }

  #open(message: OpenMessage): void {
    const { id } = message.listener;
    const others = this.#of(id);
    this.#listeners.set(id, [...others, this.#create(message, others[0]?.balancer)]);
  }

  #pause(): readonly SocketClients[] {
    return this.#all().map((listener) => {
      const {
        fd,
        listener: { id },
      } = listener.opened;
      return { id, fd, ...listener.pause() };
    });
  }

  #release({ id, fd }: { readonly id: string; readonly fd: number }): void {
    const released = this.#of(id).filter(({ opened }) => opened.fd === fd);
    for (const listener of released) listener.release();
    this.#forget(id, released);
  }

  #forget(id: string, listeners: readonly (TcpListener | UdpListener)[]): void {
    const rest = this.#of(id).filter((listener) => !listeners.includes(listener));
    if (rest.length > 0) this.#listeners.set(id, rest);
    else this.#listeners.delete(id);
    this.#engine.goHome();
  }

  #create(message: OpenMessage, balancer: Balancer | undefined): TcpListener | UdpListener {
    const { id, protocol } = message.listener;
    if (protocol === 'tcp') return new TcpListener(this.#engine, message, balancer);
    this.#batches ??= new UdpBatches(this.#engine.system);
    const onUnreachable = (client: { readonly host: string; readonly port: number }): void =>
      this.#port.send({ kind: 'unreachable', id, client });
    return new UdpListener(this.#engine, message, { batches: this.#batches, onUnreachable, balancer });
  }

  #list(): readonly Connection[] {
    const tcp = [...this.#engine.connections].map((connection) => connection.describe());
    const udp = this.#all().flatMap((listener) => (listener instanceof UdpListener ? [...listener.describe()] : []));
    return [...tcp, ...udp];
  }

  #stop(): void {
    this.#engine.stop();
    for (const listener of this.#all()) listener.close();
    for (const connection of [...this.#engine.connections]) connection.reset(COUNTER.drained);
  }
}
