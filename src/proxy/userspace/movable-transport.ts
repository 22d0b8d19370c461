import type { ListenAddress, Listener } from './listener.ts';
import type { NodeSockets, Transport } from './transport.ts';

/** A listener with its sockets, as another process goes on with it. */
export interface MovedListener {
  /** Without endpoints: whoever goes on knows better. */
  readonly listener: Listener;
  readonly address: ListenAddress;
  /** All of them have to be served: the kernel spreads over them. */
  readonly descriptors: readonly number[];
}

/** An address of a client with session affinity, the endpoint that it goes to, and for how many milliseconds more. */
export type MovedClient = readonly [address: string, endpoint: string, forMs: number];

/** A UDP flow: where its datagrams come from and go to, and its socket to the endpoint. */
export interface MovedFlow {
  readonly client: ListenAddress;
  /** `ip:port`. */
  readonly endpoint: string;
  readonly descriptor: number;
  /** Which of the listener's sockets its client's datagrams come to. */
  readonly socket: number;
}

/** What is known of the clients of one listener. */
export interface MovedClients {
  readonly id: string;
  /** How many connections were given an endpoint in turn. */
  readonly turn: number;
  readonly clients: readonly MovedClient[];
  readonly flows: readonly MovedFlow[];
}

/** A transport whose listeners another process can go on with: two processes have the same sockets then, and one serves them. */
export interface MovableTransport extends Transport {
  /** All listeners with their sockets, which stay open here and are served as before. */
  share(): readonly MovedListener[];
  /** Knows listeners of another process as its own from now on; the function that it returns begins to serve them. */
  adopt(moved: readonly MovedListener[], sockets: NodeSockets): (clients: readonly MovedClients[]) => void;
  /** Stops to accept and to receive: clients wait in the kernel. What is established goes on. Descriptors are open until `resume` or `retire`. */
  pause(): Promise<readonly MovedClients[]>;
  /** Goes on after a pause. */
  resume(): void;
  /** Leaves all listeners and UDP flows to another process; resolves when the last TCP connection has ended. */
  retire(): Promise<void>;
}

/** Tells whether a transport can do that. */
export function isMovable(transport: Transport): transport is MovableTransport {
  return 'adopt' in transport;
}
