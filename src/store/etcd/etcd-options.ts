import type { Clock } from '../../kube/clock.ts';
import type { Dial } from './grpc-channel.ts';

/** How an etcd is reached, and which of its keys are ours. */
export interface EtcdOptions {
  /** `http://HOST:PORT` or `https://HOST:PORT` of one or more members; when one fails, the next is tried. */
  readonly endpoints: readonly string[];
  /** Stands before every key, so that several clusters can share an etcd; default none: keys are those of Kubernetes. Begins with a slash and ends without one. */
  readonly prefix?: string | undefined;
  /** PEM. `ca` says whom to trust (default: what Node trusts); `cert` and `key` are shown to the server. */
  readonly tls?: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
  /** For an etcd with authentication. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
  /** Milliseconds until an unanswered request counts as failed; default 5000. */
  readonly requestTimeoutMs?: number | undefined;
  readonly clock: Clock;
  /** Opens connections; default: TCP from this process. */
  readonly dial?: Dial | undefined;
}
