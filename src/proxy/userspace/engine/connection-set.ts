import { COUNTER } from '../counters.ts';
import type { Engine, Timed } from './engine.ts';
import type { TcpConnection } from './tcp-connection.ts';

const CONNECT_TICK_MS = 20;

/** The TCP connections of one thread, and their deadlines. */
export class ConnectionSet implements Iterable<TcpConnection> {
  readonly #engine: Engine;
  readonly #all = new Set<TcpConnection>();
  /** When each attempt began, to the microsecond. */
  readonly #connecting = new Map<TcpConnection, number>();
  readonly #connectTimer: Timed = { onTime: (now) => this.#endAttempts(now) };
  #ticking = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<TcpConnection> {
    return this.#all.values();
  }

  add(connection: TcpConnection): void {
    const { limits } = this.#engine;
    if (limits.idleMs > 0 && this.#all.size === 0) {
      this.#engine.schedule({ onTime: (now) => this.#endIdle(now) }, limits.idleMs / 4);
    }
    this.#all.add(connection);
  }

  delete(connection: TcpConnection): void {
    this.#all.delete(connection);
    this.#engine.connectionEnded();
  }

  /** Watches the deadline of an attempt to connect. */
  startConnecting(connection: TcpConnection): void {
    this.#connecting.set(connection, performance.now());
    if (this.#ticking) return;
    this.#ticking = true;
    this.#engine.schedule(this.#connectTimer, CONNECT_TICK_MS);
  }

  /** Forgets an attempt, and tells when it began; undefined when there is none. */
  stopConnecting(connection: TcpConnection): number | undefined {
    const startedAt = this.#connecting.get(connection);
    this.#connecting.delete(connection);
    return startedAt;
  }

  #endAttempts(now: number): number | undefined {
    for (const connection of this.#connecting.keys()) if (connection.deadline <= now) connection.attemptTimedOut();
    this.#ticking = this.#connecting.size > 0;
    return this.#ticking ? CONNECT_TICK_MS : undefined;
  }

  #endIdle(now: number): number | undefined {
    const { idleMs } = this.#engine.limits;
    for (const connection of this.#all) if (now - connection.lastAt >= idleMs) connection.reset(COUNTER.idle);
    return this.#all.size === 0 ? undefined : idleMs / 4;
  }
}
