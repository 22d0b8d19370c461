import type { Family } from '../../netfilter/runner.ts';
import type { Balancing } from '../facts/service-port.ts';

/** Where a connection may be taken: one endpoint of a ServicePort. */
export interface Target {
  readonly ip: string;
  readonly port: number;
  /** `ip:port`, brackets around IPv6. */
  readonly address: string;
  /** TCP: it is reached from the client's own address. */
  readonly asClient?: boolean;
  /** The prefix of hosts that it reaches without this node; undefined where there is none. */
  readonly neighbours?: string | undefined;
}

/** Which endpoints of a ServicePort a listener leads to, as kube-proxy's chains SVC (`cluster`) and SVL (`local`). */
export type Audience = 'cluster' | 'local';

/** What a listener does with the connections that it gets. It may change while the listener is open. */
export interface ListenerPolicy {
  /** Sorted by address, as rules are: round robin goes through them in this order. */
  readonly targets: readonly Target[];
  readonly balancing: Balancing;
  /** Seconds that a client stays with its endpoint after its last connection; 0 without session affinity. */
  readonly affinitySeconds: number;
  /** TCP: the endpoint is told the client's address first, in PROXY protocol version 2. */
  readonly proxyProtocol: boolean;
  /** Prefixes of clients that may come; undefined: everybody. Rules look at this themselves where there are any. */
  readonly sources?: readonly string[] | undefined;
}

/** A socket of the proxy that carries the traffic of one ServicePort on one node. */
export interface Listener {
  /** Unique among all nodes of a process; the same after a restart of the proxy. */
  readonly id: string;
  readonly node: string;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp';
  /** Key of the ServicePort. */
  readonly key: string;
  /** `namespace/name:port` of the ServicePort. */
  readonly service: string;
  /** Cluster IP and port: what endpoints that want the PROXY protocol are told as the destination. */
  readonly destination: ListenAddress;
  readonly policy: ListenerPolicy;
}

/** A literal address and a port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}
