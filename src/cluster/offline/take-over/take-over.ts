import { UserError } from '../../../errors/towtank-error.ts';
import type { MovableTransport, MovedClients } from '../../../proxy/userspace/movable-transport.ts';
import type { NodeSockets } from '../../../proxy/userspace/transport.ts';
import type { RunningProxy } from './running-proxy.ts';
import type { ServerSockets } from './server-sockets.ts';
import { within } from './within.ts';

export interface TakeOverParts {
  readonly nodeName: string;
  readonly transport: MovableTransport;
  readonly sockets: NodeSockets;
  readonly servers: ServerSockets;
}

/** How long the rules may take to be written before all is left to the proxy that runs. */
const RULES_MS = 30_000;
/** How long that one waits: longer, so that only one of the two gives up. */
export const HAND_OVER_PATIENCE_MS: number = RULES_MS + 15_000;

/** Takes over from the proxy that runs: its sockets first, served by it until the rules of this one are in the kernel. */
export class TakeOver {
  /** The socket at which the next proxy will ask. */
  readonly control: number;
  readonly listeners: number;
  readonly #running: RunningProxy;
  readonly #servers: ServerSockets;
  readonly #begin: (clients: readonly MovedClients[]) => void;

  private constructor(
    running: RunningProxy,
    { servers }: TakeOverParts,
    begun: Pick<TakeOver, 'control' | 'listeners'> & { readonly begin: (clients: readonly MovedClients[]) => void },
  ) {
    this.#running = running;
    this.#servers = servers;
    this.control = begun.control;
    this.listeners = begun.listeners;
    this.#begin = begun.begin;
  }

  /** Undefined when the running proxy has ended before it gave anything. Throws UserError ERR_PROXY_EXISTS when it refuses. */
  static begin(running: RunningProxy, parts: TakeOverParts): TakeOver | undefined {
    const taken = running.take(parts.nodeName);
    if (taken === undefined) return undefined;
    const { control, servers, listeners } = taken;
    parts.servers.inherit(servers);
    const begin = parts.transport.adopt(listeners, parts.sockets);
    return new TakeOver(running, parts, { control, listeners: listeners.length, begin });
  }

  /**
   * Serves, as soon as the rules are in the kernel. Throws UserError when that takes too long or the running proxy goes on after all;
   * one that has ended meanwhile leaves its place.
   */
  async finish(synced: Promise<void>): Promise<void> {
    await within(synced, RULES_MS, () => new UserError(LATE));
    const clients = this.#running.ready()?.clients ?? [];
    // First: whoever is stopped between the two steps, and for however long, one process serves at most.
    this.#running.done();
    this.#begin(clients);
    this.#servers.closeUnused();
  }
}

const LATE = {
  code: 'ERR_TIMEOUT',
  message: `rules could not be written within ${RULES_MS / 1000} s`,
  hint: 'the proxy that ran before goes on; the lines above say what failed',
} as const;
