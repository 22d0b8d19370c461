import type { Clock, Random } from '../../kube/clock.ts';
import type { Pod } from '../../kube/generated/types.ts';
import type { PodRuntime } from '../container/container-runtime.ts';
import type { PodObjects } from '../environment/build-environment.ts';
import type { NodeResources } from '../environment/resource-value.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { Dial } from '../probe/http-probe.ts';

/** An event about a pod, in the kubelet's words. */
export interface PodEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** The container it is about: `spec.containers{web}`. */
  readonly fieldPath?: string | undefined;
}

/** What the workers of all pods of one node share. */
export interface NodeWorld {
  readonly nodeName: string;
  /** The node's internal addresses, the primary one first. */
  readonly hostIPs: readonly string[];
  readonly resources: NodeResources;
  readonly clock: Clock;
  readonly random: Random;
  readonly runtime: PodRuntime;
  readonly images: ImageStore;
  readonly objects: PodObjects;
  /** Connects from the node's network namespace: probes and HTTP hooks. */
  readonly dial: Dial;
  readonly recordEvent: (pod: Pod, event: PodEvent) => void;
  /** Resolves when the caller may do a piece of work that keeps the event loop busy for a while. */
  readonly turn: () => Promise<void>;
  /** Bytes of output kept of each run of a container. */
  readonly logLimitBytes: number;
}

/** A container ID as runtimes make them: `towtank://` and 64 hexadecimal digits. */
export function newContainerID(random: Random): string {
  const words = Array.from({ length: 8 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  );
  return `towtank://${words.join('')}`;
}
