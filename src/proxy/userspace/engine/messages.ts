import type { Counters } from '../counters.ts';
import type { ListenAddress, Listener, ListenerPolicy } from '../listener.ts';
import type { MovedClients } from '../movable-transport.ts';
import type { Connection, TransportLimits } from '../transport.ts';
import type { DescriptorTable } from './descriptors.ts';

/** A network namespace: the descriptor that it has now, undefined for that of the process, and a number that no other one ever has. */
export interface Namespace {
  readonly fd: number | undefined;
  readonly id: number;
}

/** A listener as it comes to a thread. */
export interface OpenMessage {
  readonly kind: 'open';
  readonly listener: Listener;
  readonly address: ListenAddress;
  /** The listening socket; the thread closes it. */
  readonly fd: number;
  /** The network namespace in which endpoints are reached. */
  readonly netns: Namespace;
  readonly counters: Counters;
  readonly turn: Int32Array<SharedArrayBuffer>;
  /** What another process knew of its clients, when this one goes on with the socket. */
  readonly known?: KnownClients;
}

/** The clients with session affinity of a listener, and the UDP flows of one of its sockets. */
export type KnownClients = Pick<MovedClients, 'clients' | 'flows'>;

/** What is known of the clients of one listening socket. */
export interface SocketClients extends KnownClients {
  readonly id: string;
  readonly fd: number;
}

/** What a thread is told. */
export type EngineMessage =
  | OpenMessage
  | { readonly kind: 'update'; readonly id: string; readonly policy: ListenerPolicy }
  | { readonly kind: 'close'; readonly id: string }
  /** Let go of one listening socket of a listener, for another thread goes on with it. */
  | { readonly kind: 'release'; readonly id: string; readonly fd: number }
  /** Let go of all listeners, for another thread goes on with them; end when the last connection has ended. */
  | { readonly kind: 'retire' }
  /** Accept and receive nothing until told; answered by what is known of the clients. */
  | { readonly kind: 'pause'; readonly request: number }
  | { readonly kind: 'resume' }
  | { readonly kind: 'list'; readonly request: number }
  /** End at once; connections are reset. */
  | { readonly kind: 'stop' };

/** What a thread answers. */
export type EngineAnswer =
  | { readonly kind: 'connections'; readonly request: number; readonly connections: readonly Connection[] }
  | { readonly kind: 'paused'; readonly request: number; readonly clients: readonly SocketClients[] };

/** What a thread tells. */
export type EngineReport =
  | EngineAnswer
  | { readonly kind: 'unreachable'; readonly id: string; readonly client: ListenAddress }
  | { readonly kind: 'error'; readonly error: unknown };

/** What a thread is started with. */
export interface EngineStart {
  /** Readable when a message waits. */
  readonly wake: number;
  readonly limits: TransportLimits;
  readonly isLocal: boolean;
  readonly descriptors: DescriptorTable;
}
