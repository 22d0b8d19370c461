import type { NetworkNamespace } from '../network-namespace.ts';

/** What a link has from the start. MACs are written `0a:58:0a:f4:01:02`. */
interface LinkOptions {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** Name of the bridge that the link becomes a port of. */
  readonly master?: string;
  /** Sets it up in the same step. */
  readonly up?: boolean;
}

export interface AddBridge extends LinkOptions {
  readonly kind: 'addBridge';
}

export interface AddVeth extends LinkOptions {
  readonly kind: 'addVeth';
  /** The other end; in another namespace when `netns` is given. The kernel makes it down. */
  readonly peer: {
    readonly name: string;
    readonly netns?: NetworkNamespace;
    readonly mac?: string;
    readonly mtu?: number;
  };
}

export interface AddVxlan extends LinkOptions {
  readonly kind: 'addVxlan';
  /** VXLAN network identifier, 24 bits. */
  readonly id: number;
  /** Address of this end of the tunnel. */
  readonly local: string;
  /** UDP port; 4789 by default, as IANA assigns it. */
  readonly port?: number;
}

/** Changes an existing link; what is left out stays. `master: null` takes it out of its bridge. */
export interface SetLink {
  readonly kind: 'setLink';
  readonly link: string;
  readonly up?: boolean;
  readonly mac?: string;
  readonly mtu?: number;
  readonly master?: string | null;
  readonly rename?: string;
}

/** Changes a port of a bridge. `state` is the spanning tree's: 3 forwards, 0 is a cable pulled out. */
export interface SetBridgePort {
  readonly kind: 'setBridgePort';
  readonly link: string;
  readonly state?: 0 | 1 | 2 | 3 | 4;
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
  readonly learning?: boolean;
}

export interface DeleteLink {
  readonly kind: 'deleteLink';
  readonly link: string;
}

export interface AddressOperation {
  readonly kind: 'addAddress' | 'deleteAddress';
  readonly link: string;
  /** With prefix length: `172.18.0.2/16`. */
  readonly address: string;
  /** `link` keeps the kernel from choosing it as the source of packets that leave elsewhere. Default `global`. */
  readonly scope?: 'global' | 'link' | 'host';
  /** The kernel adds no route to the prefix. */
  readonly noPrefixRoute?: boolean;
  /** IPv4: a name of its own, which begins with that of the link and a colon: `lo:towtank`. */
  readonly label?: string;
  /** IPv6: never chosen as a source address. */
  readonly deprecated?: boolean;
}

export interface NextHop {
  readonly gateway: string;
  readonly link?: string;
  readonly weight?: number;
}

export interface RouteOperation {
  readonly kind: 'addRoute' | 'replaceRoute' | 'deleteRoute';
  /** A prefix, or `0.0.0.0/0` and `::/0` for the default route. */
  readonly destination: string;
  readonly gateway?: string;
  readonly link?: string;
  /** Preferred source address. */
  readonly source?: string;
  readonly type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit';
  /** The gateway is on the link although no address of the link says so. */
  readonly onLink?: boolean;
  readonly metric?: number;
  readonly mtu?: number;
  readonly table?: number;
  /** Several ways of equal cost, instead of `gateway`. */
  readonly nextHops?: readonly NextHop[];
}

/** A permanent entry of the ARP or NDP table: it never ages and does not count towards the table's limit. */
export interface NeighbourOperation {
  readonly kind: 'setNeighbour' | 'deleteNeighbour';
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

/** A permanent forwarding entry: frames for `mac` leave through the tunnel end `destination`, or the bridge port `link`. */
export interface FdbOperation {
  readonly kind: 'addFdb' | 'deleteFdb';
  readonly link: string;
  readonly mac: string;
  readonly destination?: string;
}

/** A rule that chooses a routing table. */
export interface RuleOperation {
  readonly kind: 'addRule' | 'deleteRule';
  readonly family: 'ipv4' | 'ipv6';
  readonly priority: number;
  readonly table: number;
  readonly from?: string;
  readonly to?: string;
  readonly mark?: number;
  readonly mask?: number;
  readonly inputLink?: string;
  /** Only packets of this user id's own sockets. */
  readonly uid?: number;
}

/** One change of a namespace's links, addresses, routes or neighbours, as data. */
export type LinkOperation =
  | AddBridge
  | AddVeth
  | AddVxlan
  | SetLink
  | SetBridgePort
  | DeleteLink
  | AddressOperation
  | RouteOperation
  | NeighbourOperation
  | FdbOperation
  | RuleOperation;

/** How operations reach the kernel. */
export interface LinkOperations {
  /**
   * Carries the operations out in this order. Deleting what is absent succeeds. Throws ERR_NETLINK for the first one that
   * the kernel refuses, or ERR_MISSING_KERNEL_FEATURE for a link type that it lacks; operations after it may have been done.
   */
  apply(netns: NetworkNamespace, operations: readonly LinkOperation[]): void;
}

// What an operation is about, the most telling first.
const subjects = ['name', 'destination', 'address', 'link'] as const;

/** The operation in the words of its error message: `addRoute 10.244.1.0/24 gateway 172.18.0.3`. */
export function describeOperation(operation: LinkOperation): string {
  const { kind, ...fields } = operation;
  const subject = subjects.find((key) => key in fields);
  const words: string[] = [kind];
  if (subject !== undefined) words.push(String((fields as Record<string, unknown>)[subject]));
  for (const [key, value] of Object.entries(fields)) {
    if (key === subject || value === undefined) continue;
    words.push(`${key} ${typeof value === 'object' ? describeValue(value) : value}`);
  }
  return words.join(' ');
}

function describeValue(value: unknown): string {
  return JSON.stringify(value, (key, inner) => (key === 'netns' ? (inner as NetworkNamespace).name : inner));
}
