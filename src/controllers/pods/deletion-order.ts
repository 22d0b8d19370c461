import type { Pod } from '../../kube/generated/types.ts';
import { timeOf } from '../../kube/timestamp.ts';
import { isPodReady, readyTransitionTime } from './pod-facts.ts';

const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * The pods in the order in which a controller that has too many deletes them: what is of least use first. `neighbours` says
 * how many related pods run on the pod's node; crowded nodes are thinned first.
 */
export function inDeletionOrder(pods: readonly Pod[], neighbours: (pod: Pod) => number): readonly Pod[] {
  const rank = new Map(pods.map((pod) => [pod, rankOf(pod, neighbours(pod))]));
  return [...pods].sort((a, b) => compareRanks(rank.get(a)!, rank.get(b)!));
}

// Compared number by number; lower goes first.
function rankOf(pod: Pod, neighbours: number): readonly number[] {
  const ready = isPodReady(pod);
  return [
    pod.spec?.nodeName ? 1 : 0,
    PHASES[pod.status?.phase ?? ''] ?? 0,
    ready ? 1 : 0,
    Number(pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0,
    -neighbours,
    ready ? -(readyTransitionTime(pod) ?? 0) : 0,
    -restartsOf(pod),
    -(timeOf(pod.metadata?.creationTimestamp) ?? 0),
  ];
}

function restartsOf({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - b[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}
