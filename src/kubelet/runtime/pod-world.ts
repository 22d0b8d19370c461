import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Pod } from '../../kube/generated/types.ts';
import type { ResolvConf } from '../../kube/resolv-conf.ts';
import type { PodHostname } from '../files/pod-hostname.ts';
import type { PodFiles } from './pod-files.ts';

/** Addresses of a name by a resolver configuration, asked from a place; rejects when there are none. */
export type LookUp = (netns: NetworkNamespace, host: string, conf: ResolvConf) => Promise<readonly string[]>;

/** What all containers of a pod share at run time. */
export interface PodWorld {
  readonly pod: () => Pod;
  readonly netns: NetworkNamespace;
  readonly podIPs: readonly string[];
  readonly hostname: PodHostname;
  readonly files: PodFiles;
  /** A folder on a tmpfs for the writable layers of the containers. */
  readonly layers: string;
  /** Environment that tells the C library's resolver what a resolv.conf of the pod's own would; empty where the pod has one. */
  readonly resolver: Readonly<Record<string, string>>;
  /** Resolves names where no file tells programs how to; undefined where the C library does. */
  readonly lookUp: ((host: string) => Promise<readonly string[]>) | undefined;
  readonly clock: Clock;
}
