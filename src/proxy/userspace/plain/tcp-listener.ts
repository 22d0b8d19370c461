import { createServer, type Server, type Socket } from 'node:net';
import { clientFilter } from '../client-filter.ts';
import type { Connection } from '../transport.ts';
import type { PlainContext, PlainListener } from './plain-listener.ts';
import { TcpRelay } from './tcp-relay.ts';

/** Accepts the TCP connections of one listener and gives each a relay. */
export class TcpListener implements PlainListener {
  readonly #context: PlainContext;
  readonly #server: Server;
  readonly #relays = new Set<TcpRelay>();
  readonly #closed = Promise.withResolvers<void>();
  #draining: Disposable | undefined;

  constructor(fd: number, context: PlainContext) {
    this.#context = context;
    const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
    this.#server = createServer(options, (client) => this.#accept(client));
    this.#server.on('error', context.onError);
    this.#server.on('close', () => this.#closed.resolve());
    this.#server.listen({ fd });
  }

  update(): void {
    const { clock, limits } = this.#context;
    if (limits.drainMs === undefined) return;
    this.#draining?.[Symbol.dispose]();
    this.#draining = clock.schedule(limits.drainMs, () => {
      for (const relay of this.#relays) relay.drain();
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    await this.#closed.promise;
    this.#draining?.[Symbol.dispose]();
  }

  async abort(): Promise<void> {
    for (const relay of this.#relays) relay.abort();
    this.#server.close();
    await this.#closed.promise;
    this.#draining?.[Symbol.dispose]();
  }

  connections(): readonly Connection[] {
    return [...this.#relays].map((relay) => relay.describe());
  }

  #accept(client: Socket): void {
    this.#context.sockets.rememberAddresses(client);
    const mayCome = clientFilter(this.#context.listener.policy);
    if (mayCome?.(client.remoteAddress ?? '') === false) {
      client.resetAndDestroy();
      return;
    }
    const relay = new TcpRelay(client, this.#context);
    this.#relays.add(relay);
    void relay.ended.then(() => this.#relays.delete(relay));
  }
}
