import type { Clock, Random } from '../kube/clock.ts';
import type { KubeletConnection } from '../kube/kubelet-connection.ts';
import type { NodeProxy } from '../kube/node-proxy.ts';
import type { ServiceAllocator } from '../kube/service-allocator.ts';
import type { Store } from '../store/store.ts';
import type { AuditSink } from './access/audit.ts';
import type { StaticTokens } from './access/authenticate.ts';
import type { TlsOptions } from './http/http-server.ts';
import type { Caller } from './machinery/strategy.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly allocator: ServiceAllocator;
  /**
   * Addresses of 127.0.0.0/8 that Services and their endpoints may have and the proxy subresources reach all the same; default
   * none: the server's own stay out of reach.
   */
  readonly admitsLoopback?: ((address: string) => boolean) | undefined;
  /** Serves logs, exec, attach and port-forward; without one they answer 503. Read when the first listener opens. */
  readonly kubelet?: KubeletConnection | undefined;
  /** Serves the proxy subresources; without one they answer 503. Read when the first listener opens. */
  readonly proxy?: NodeProxy | undefined;
  /** What `kubectl version` shows, default v1.36.0. */
  readonly gitVersion?: string | undefined;
  /** Issuer of service account tokens, default https://kubernetes.default.svc.cluster.local. */
  readonly serviceAccountIssuer?: string | undefined;
  /** Bearer tokens that are known from the start. */
  readonly staticTokens?: StaticTokens | undefined;
  /** Takes one event for each request over HTTP. */
  readonly audit?: AuditSink | undefined;
  /** Told of failures that nobody else hears of: an answer 500, a background task. Default: written to stderr. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface ListenOptions {
  /** A listening socket from outside, or a port of `host`. */
  readonly at: { readonly fd: number } | { readonly host: string; readonly port: number };
  /** Undefined serves plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** Everybody who reaches this listener without a certificate or token; default `system:anonymous`. */
  readonly trusted?: Caller | undefined;
}
