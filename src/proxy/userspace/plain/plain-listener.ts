import type { Clock } from '../../../kube/clock.ts';
import type { Balancer } from '../balancer.ts';
import type { Counters } from '../counters.ts';
import type { ListenAddress, Listener } from '../listener.ts';
import type { Connection, NodeSockets, TransportLimits } from '../transport.ts';

/** What everything behind one listener shares. */
export interface PlainContext {
  /** With the policy of now. */
  listener: Listener;
  readonly address: ListenAddress;
  readonly sockets: NodeSockets;
  readonly balancer: Balancer;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly limits: TransportLimits;
  readonly onError: (error: unknown) => void;
}

/** A listening socket and what came through it. */
export interface PlainListener {
  /** The balancer has a new policy already. */
  update(): void;
  /** Stops listening; resolves when the last connection has ended. */
  close(): Promise<void>;
  /** Ends everything at once. */
  abort(): Promise<void>;
  connections(): readonly Connection[];
}
