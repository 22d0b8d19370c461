import type { Job, Pod } from '../../kube/generated/types.ts';
import { inDeletionOrder } from '../pods/deletion-order.ts';
import { isPodTerminating } from '../pods/pod-facts.ts';
import type { JobCounts } from './count-pods.ts';
import { indexOf, isIndexed } from './job-pods.ts';

export interface JobPodPlan {
  /** One entry for each pod to create: its index, or undefined for a job without indexes. */
  readonly create: readonly (number | undefined)[];
  readonly remove: readonly Pod[];
}

/** Brings the number of running pods to what parallelism and completions leave to do. */
export function planJobPods(job: Job, counts: JobCounts, pods: readonly Pod[]): JobPodPlan {
  const { active } = counts;
  const { parallelism = 1, completions, suspend, podReplacementPolicy } = job.spec ?? {};
  if (suspend) return { create: [], remove: active };
  if (isIndexed(job)) return planIndexes(job, counts);
  const left =
    completions === undefined ? (counts.succeeded > 0 ? active.length : parallelism) : completions - counts.succeeded;
  const wanted = Math.max(0, Math.min(left, parallelism));
  // With podReplacementPolicy Failed a pod that is ending holds its place.
  const ending =
    podReplacementPolicy === 'Failed'
      ? pods.filter((pod) => isPodTerminating(pod) && !pod.status?.phase?.match(/Succeeded|Failed/)).length
      : 0;
  const missing = wanted - active.length - ending;
  if (missing > 0) return { create: Array(missing).fill(undefined), remove: [] };
  const surplus = active.length - wanted;
  return { create: [], remove: surplus > 0 ? inDeletionOrder(active, () => 0).slice(0, surplus) : [] };
}

function planIndexes(job: Job, { active, completedIndexes }: JobCounts): JobPodPlan {
  const { parallelism = 1, completions = 0 } = job.spec ?? {};
  const running = new Map<number, Pod>();
  const remove: Pod[] = [];
  for (const pod of active) {
    const index = indexOf(pod);
    if (index === undefined || index >= completions || running.has(index) || completedIndexes.has(index))
      remove.push(pod);
    else running.set(index, pod);
  }
  const surplus = [...running].sort(([a], [b]) => b - a).slice(0, Math.max(0, running.size - parallelism));
  remove.push(...surplus.map(([, pod]) => pod));
  const free = Array.from({ length: completions }, (_, index) => index).filter(
    (index) => !running.has(index) && !completedIndexes.has(index),
  );
  return { create: free.slice(0, Math.max(0, parallelism - running.size)), remove };
}
