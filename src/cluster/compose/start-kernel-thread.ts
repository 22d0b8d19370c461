import { KernelThread } from '../../kernel/thread/kernel-thread-handle.ts';
import type { StartSpec } from '../start-spec.ts';
import type { ComponentHealth } from './component-health.ts';
import { FEW_NODES } from './few-nodes.ts';

// A small cluster makes its pods and writes its rules with fewer, and is done before a thread has started.
const SMALL_CLUSTER_TASKS = 64;

/** Makes the thread for kernel calls: of a large cluster at once, of a small one when it grows; none where all share a namespace. */
export function startKernelThread({ tier, config }: StartSpec, health: ComponentHealth): KernelThread | undefined {
  if (tier !== 'full') return undefined;
  return new KernelThread({
    startsAfter: config.nodes.length > FEW_NODES ? 0 : SMALL_CLUSTER_TASKS,
    onDied: (error) => health.failed('thread for kernel calls', error, true),
  });
}
