import type { Socket as UdpSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { Family } from '../../netfilter/runner.ts';
import type { Counters } from './counters.ts';
import type { ListenAddress, Listener, ListenerPolicy } from './listener.ts';

/** How a socket is bound. */
export interface SocketOptions extends ListenAddress {
  /** Several sockets share the port, and the kernel spreads over them. */
  readonly reusePort?: boolean;
  /** An address that no interface has yet may be bound. */
  readonly freeBind?: boolean;
}

/** An error message for a client whose datagram could not be delivered. */
export interface Unreachable {
  readonly family: Family;
  readonly client: ListenAddress;
  /** Where the client sent to, as the proxy's socket sees it. */
  readonly listener: ListenAddress;
}

/** A mark of packets, one bit, and the routing table that such packets ask. */
export interface MarkedRoute {
  readonly mark: number;
  readonly table: number;
}

/** Sockets of one node's network namespace: the door through which the proxy reaches them. All throw what the kernel says. */
export interface NodeSockets {
  /** Descriptor of the network namespace, for setns(2); undefined where it is that of this process. */
  readonly netns: number | undefined;
  /** A listening socket, as a descriptor. */
  listenTcp(options: SocketOptions): number;
  /** A bound UDP socket, as a descriptor. */
  bindUdp(options: SocketOptions): number;
  /** The port that a descriptor is bound to. */
  localPort(fd: number): number;
  /** Makes an address the node's own, so that sockets can be bound to it; false when it was before. */
  claim(address: string): boolean;
  /** Gives a claimed address up. */
  unclaim(address: string): void;
  /** Makes sure that the addresses of an accepted socket can be read. */
  rememberAddresses(socket: Socket): void;
  /** Connects, from a client's own address when it is given. */
  connectTcp(address: ListenAddress, client?: string): Socket;
  /** Delivers packets with this mark to this node, whatever their address. Throws where that or transparent sockets cannot be had. */
  deliverMarked(family: Family, route: MarkedRoute): void;
  /** Prefixes whose hosts reach each other without this node. */
  onLinkPrefixes(family: Family): readonly string[];
  /** Takes `deliverMarked` back. */
  forwardMarked(family: Family, route: MarkedRoute): void;
  udpSocket(family: Family): Promise<UdpSocket>;
  /** Tells a client by ICMP that nobody listens. */
  sendUnreachable(message: Unreachable): void;
}

/** A connection, or a UDP flow, that is open now. */
export interface Connection {
  readonly node: string;
  readonly protocol: 'tcp' | 'udp';
  /** `namespace/name:port`. */
  readonly service: string;
  /** `ip:port` of the client as the node sees it. */
  readonly client: string;
  /** `ip:port` of the endpoint; '' while none has answered. */
  readonly endpoint: string;
  readonly ageSeconds: number;
  /** From the client to the endpoint. */
  readonly bytesIn: number;
  /** From the endpoint to the client. */
  readonly bytesOut: number;
}

/** What a listener has carried since it was opened. */
export interface ListenerCounters {
  readonly listener: Listener;
  readonly counters: Counters;
}

/**
 * Carries connections and datagrams of all nodes of a process. It outlives the proxies: one that starts anew on a node takes
 * over the listeners that it finds, and what is established goes on.
 */
export interface Transport extends AsyncDisposable {
  /** Opens a listener in a node's namespace and tells where; port 0 lets the kernel choose. Throws what the kernel says. */
  open(listener: Listener, sockets: NodeSockets, address: ListenAddress): ListenAddress;
  /** Changes what happens to new connections; established ones go on. */
  update(id: string, policy: ListenerPolicy): void;
  /** Stops listening. TCP connections go on until they end by themselves; UDP flows end. */
  close(id: string): void;
  /** Open listeners of a node and family, with their addresses. */
  listeners(node: string, family: Family): ReadonlyMap<string, ListenAddress>;
  connections(): Promise<readonly Connection[]>;
  /** Counters of the listeners of a node. */
  counters(node: string): readonly ListenerCounters[];
}

/** Limits of connections, in milliseconds. */
export interface TransportLimits {
  /** How long each further attempt to connect may take, one endpoint after the other. */
  readonly connectTimeoutsMs: readonly number[];
  /** TCP connections without a byte in either direction are reset after this; 0 lets them be. */
  readonly idleMs: number;
  /** UDP flows are forgotten after this without a datagram. */
  readonly udpIdleMs: number;
  /** How long connections to an endpoint that left may go on before they are reset; undefined: until they end. */
  readonly drainMs: number | undefined;
}

/** The time-outs of kube-proxy's userspace mode, and UDP flows as long as conntrack keeps them. */
export const DEFAULT_LIMITS: TransportLimits = {
  connectTimeoutsMs: [250, 500, 1000, 2000],
  idleMs: 0,
  udpIdleMs: 30_000,
  drainMs: undefined,
};
