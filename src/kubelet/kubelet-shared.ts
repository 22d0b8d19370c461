import type { KubeClient } from '../kube/client.ts';
import type { Clock, Random } from '../kube/clock.ts';
import type { NodeDns } from '../kube/resolv-conf.ts';
import type { PodObjects } from './environment/build-environment.ts';
import type { ImageStore } from './images/image-store.ts';
import type { Heartbeats } from './node/heartbeats.ts';
import type { MachineFacts } from './node/machine-facts.ts';
import type { PodsByNode } from './pod/pods-by-node.ts';
import type { StatusWriter } from './pod/status-writer.ts';
import type { Turnstile } from './pod/turnstile.ts';
import type { IssueToken } from './runtime/pod-files.ts';
import type { LookUp } from './runtime/pod-world.ts';

/** What the kubelets of all nodes of a process share. */
export interface KubeletShared {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly machine: MachineFacts;
  readonly kubeletVersion: string;
  readonly containerRuntimeVersion: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly logLimitBytes: number;
  readonly iptablesBackend: 'auto' | 'nft' | 'legacy';
  readonly dns: NodeDns;
  readonly lookUp?: LookUp | undefined;
  readonly images: ImageStore;
  readonly objects: PodObjects;
  readonly issueToken: IssueToken;
  readonly pods: PodsByNode;
  readonly statuses: StatusWriter;
  readonly heartbeats: Heartbeats;
  readonly turnstile: Turnstile;
  readonly onError: (error: unknown) => void;
}
