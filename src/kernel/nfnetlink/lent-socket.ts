import type { NetworkNamespace } from '../network-namespace.ts';
import { NftablesSocket } from './nftables-socket.ts';

// To close a socket right after a transaction takes the kernel a grace period or two (8 to 16 ms): it waits for what the
// transaction deleted. A second later nothing is left to wait for.
const idleMs = 1000;

/** Lends a netfilter netlink socket of one namespace, opened on demand and closed when nobody asked for it for a second. */
export class LentSocket {
  readonly #netns: NetworkNamespace;
  #socket: NftablesSocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(netns: NetworkNamespace) {
    this.#netns = netns;
  }

  /** Hands the socket to `use`, which must be done with it when it returns. */
  use<T>(use: (socket: NftablesSocket) => T): T {
    this.#socket ??= new NftablesSocket(this.#netns);
    this.#timer ??= setTimeout(() => this.#close(), idleMs).unref();
    this.#timer.refresh();
    return use(this.#socket);
  }

  /** The same for a question that changes nothing: a socket opened for it is closed at once, which then waits for nothing. */
  glance<T>(use: (socket: NftablesSocket) => T): T {
    if (this.#socket !== undefined) return use(this.#socket);
    using socket = new NftablesSocket(this.#netns);
    return use(socket);
  }

  #close(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
    this.#timer = undefined;
  }
}
