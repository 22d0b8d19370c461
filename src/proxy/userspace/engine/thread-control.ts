import { COUNTER } from '../counters.ts';
import type { Connection } from '../transport.ts';
import { EPOLLIN } from './constants.ts';
import { Engine } from './engine.ts';
import type { EngineMessage, EngineReport, EngineStart, OpenMessage } from './messages.ts';
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
  readonly #listeners = new Map<string, TcpListener | UdpListener>();
  readonly #word = new Uint8Array(8);
  #batches: UdpBatches | undefined;

  constructor(system: System, { wake, limits, descriptors }: EngineStart, port: ControlPort) {
    this.#port = port;
    this.#wake = wake;
    const onError = (error: unknown): void => port.send({ kind: 'error', error });
    this.#engine = new Engine({ system, limits, descriptors, onError });
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
        this.#listeners.set(message.listener.id, this.#open(message));
        break;
      case 'update':
        this.#listeners.get(message.id)?.setPolicy(message.policy);
        break;
      case 'close':
        this.#listeners.get(message.id)?.close();
        this.#listeners.delete(message.id);
        this.#engine.goHome();
        break;
      case 'retire':
        this.#engine.stopWhenIdle();
        for (const listener of this.#listeners.values()) listener.release();
        this.#listeners.clear();
        break;
      case 'list':
        this.#port.send({ kind: 'connections', request: message.request, connections: this.#list() });
        break;
      case 'stop':
        this.#stop();
    }
  }

  #open(message: OpenMessage): TcpListener | UdpListener {
    const { id, protocol } = message.listener;
    if (protocol === 'tcp') return new TcpListener(this.#engine, message);
    this.#batches ??= new UdpBatches(this.#engine.system);
    const onUnreachable = (client: { readonly host: string; readonly port: number }): void =>
      this.#port.send({ kind: 'unreachable', id, client });
    return new UdpListener(this.#engine, message, { batches: this.#batches, onUnreachable });
  }

  #list(): readonly Connection[] {
    const tcp = [...this.#engine.connections].map((connection) => connection.describe());
    const udp = [...this.#listeners.values()].flatMap((listener) =>
      listener instanceof UdpListener ? [...listener.describe()] : [],
    );
    return [...tcp, ...udp];
  }

  #stop(): void {
    this.#engine.stop();
    for (const listener of this.#listeners.values()) listener.close();
    for (const connection of [...this.#engine.connections]) connection.reset(COUNTER.drained);
  }
}
