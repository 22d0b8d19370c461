import type { Connection } from '../../proxy/userspace/transport.ts';
import type { ProxyMode } from '../config/cluster-config.ts';
import type { Tier } from '../tiers.ts';

/** Where a command runs: in a pod's container, on a node, or at the outside client. */
export type Target =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly container?: string | undefined }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'client' };

/** First line of an exec connection, as JSON; after it both sides speak frames. */
export interface ExecRequest {
  readonly target: Target;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** What ends an exec: how the command ended, or why it never ran. */
export type ExecResult = { readonly exitCode: number } | { readonly error: WireError };

/** An error as it crosses the socket. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Channels of exec frames, numbered as Kubernetes' v5.channel.k8s.io numbers them. */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, result: 3, resize: 4, stdinEnd: 255 } as const;

/** An HTTP request that the supervisor makes from somewhere in the cluster's network. */
export interface FetchRequest {
  readonly from: Target;
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds until the request counts as failed. */
  readonly timeoutMs: number;
}

export interface FetchResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A name that is resolved as a program at this place would. */
export interface DnsQueryRequest {
  readonly from: Target;
  /** A name, or an address, which stands for its reverse name. */
  readonly name: string;
  /** For example `A`, `SRV`; default PTR for an address, A for the others. */
  readonly type?: string | undefined;
  /** Whose search walk; the two differ in when they search and when they give up. */
  readonly library: 'glibc' | 'musl';
}

/** One question put to one name server, and why it was answered as it was. */
export interface DnsQueryStep {
  /** Absolute. */
  readonly name: string;
  readonly type: string;
  readonly server: string;
  readonly transport: 'udp' | 'tcp';
  /** ANSWER, NODATA, NXDOMAIN, SERVFAIL, REFUSED, TIMEOUT or ERROR. */
  readonly outcome: string;
  /** As zone files write them. */
  readonly records: readonly string[];
  /** Text of an extended DNS error (RFC 8914), if one came. */
  readonly extendedError?: string | undefined;
  readonly why?: string | undefined;
}

export interface DnsQueryAnswer {
  /** What the place's resolv.conf says. */
  readonly conf: {
    readonly nameservers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  /** The names that the walk would try, in order; those behind the last step were not needed. */
  readonly candidates: readonly string[];
  readonly steps: readonly DnsQueryStep[];
  readonly found: boolean;
}

export interface ApplyResult {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly outcome: 'created' | 'configured' | 'unchanged';
}

export interface NodeStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  readonly proxyMode: ProxyMode;
  readonly pods: number;
}

export interface ComponentStatus {
  readonly name: string;
  readonly healthy: boolean;
  readonly message: string;
}

/** What a loopback cluster can do on its machine. */
export interface LoopbackStatus {
  /** Ports below this one may not be opened, and stand `portOffset` higher. */
  readonly firstPort: number;
  readonly portOffset: number;
  /** Programs find names of the cluster; built-in images always do. */
  readonly findsNames: boolean;
  /** The same in words. */
  readonly limits: readonly string[];
}

/** What `towtank status` shows. */
export interface ClusterStatus {
  readonly name: string;
  readonly tier: Tier;
  /** Only in the loopback tier. */
  readonly loopback?: LoopbackStatus | undefined;
  readonly version: string;
  readonly apiServer: string;
  readonly uptimeSeconds: number;
  readonly memoryBytes: number;
  readonly nodes: readonly NodeStatus[];
  readonly pods: { readonly total: number; readonly ready: number };
  readonly services: number;
  readonly clusterDNS: readonly string[];
  readonly outsideClient: readonly string[];
  readonly store: { readonly engine: string; readonly objects: number; readonly revision: number };
  readonly components: readonly ComponentStatus[];
}

/** A connection that a proxy in userspace mode carries. */
export type ConnectionStatus = Connection;

/** One line on the progress pipe while a cluster starts. */
export type StartMessage =
  | { readonly type: 'step'; readonly name: string; readonly ms: number }
  | { readonly type: 'ready'; readonly kubeconfig: string }
  | { readonly type: 'failed'; readonly error: WireError };
