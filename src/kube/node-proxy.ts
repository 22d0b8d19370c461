import type { Duplex, Readable } from 'node:stream';

export interface NodeRequest {
  readonly method: string;
  /** Path and query below the kubelet's root: `/metrics?x=y`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Readable;
}

export interface NodeResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Readable;
}

/** How the API server reaches into the cluster's network for the proxy subresources of nodes, pods and Services. */
export interface NodeProxy {
  /** A TCP connection to a pod, a node or an endpoint address, from where the API server stands. */
  connect(address: string, port: number): Promise<Duplex>;
}
