import type { Job, JobStatus, Pod } from '../../kube/generated/types.ts';
import { isPodReady, isPodTerminating } from '../pods/pod-facts.ts';
import { hasFailed, hasSucceeded, indexOf, isIndexed, isTracked, parseIndexes, printIndexes } from './job-pods.ts';

/** The pods of a job as they count now. */
export interface JobCounts {
  /** The counting part of the status, ready to be written. */
  readonly status: JobStatus;
  /** Pods that may lose their finalizer once the status is written. */
  readonly counted: readonly Pod[];
  readonly active: readonly Pod[];
  /** Including those that are counted but still tracked. */
  readonly succeeded: number;
  readonly failed: number;
  readonly completedIndexes: ReadonlySet<number>;
  /** Failed pods seen for the first time. */
  readonly newlyFailed: readonly Pod[];
  readonly newlySucceeded: number;
}

/**
 * Counts every pod exactly once, however often this is interrupted: a pod that has ended is first noted by uid in the
 * status, then loses its finalizer, and only then its uid turns into a number.
 */
export function countPods(job: Job, pods: readonly Pod[]): JobCounts {
  const { status = {} } = job;
  const byUid = new Map(pods.map((pod) => [pod.metadata?.uid ?? '', pod]));
  const noted = status.uncountedTerminatedPods ?? {};
  const isOpen = (uid: string): boolean => isTrackedUid(byUid, uid);
  const openSucceeded = (noted.succeeded ?? []).filter(isOpen);
  const openFailed = (noted.failed ?? []).filter(isOpen);
  const known = new Set([...openSucceeded, ...openFailed]);
  const ended = pods.filter((pod) => isTracked(pod) && !known.has(pod.metadata?.uid ?? ''));
  const newSucceeded = ended.filter(hasSucceeded);
  const newlyFailed = ended.filter((pod) => hasFailed(job, pod));
  const succeededUids = [...openSucceeded, ...newSucceeded.map(uidOf)];
  const failedUids = [...openFailed, ...newlyFailed.map(uidOf)];
  const succeeded = (status.succeeded ?? 0) + (noted.succeeded?.length ?? 0) - openSucceeded.length;
  const failed = (status.failed ?? 0) + (noted.failed?.length ?? 0) - openFailed.length;
  const completedIndexes = indexesAfter(job, newSucceeded);
  const active = pods.filter((pod) => !hasSucceeded(pod) && pod.status?.phase !== 'Failed' && !isPodTerminating(pod));
  return {
    status: {
      active: active.length,
      ready: active.filter(isPodReady).length,
      terminating: pods.filter((pod) => isPodTerminating(pod) && !hasSucceeded(pod) && pod.status?.phase !== 'Failed')
        .length,
      succeeded,
      failed,
      uncountedTerminatedPods: {
        ...(succeededUids.length > 0 ? { succeeded: succeededUids } : {}),
        ...(failedUids.length > 0 ? { failed: failedUids } : {}),
      },
      ...(isIndexed(job) ? { completedIndexes: printIndexes(completedIndexes) } : {}),
    },
    counted: [...succeededUids, ...failedUids].flatMap((uid) => byUid.get(uid) ?? []),
    active,
    succeeded: isIndexed(job) ? completedIndexes.size : succeeded + succeededUids.length,
    failed: failed + failedUids.length,
    completedIndexes,
    newlyFailed,
    newlySucceeded: newSucceeded.length,
  };
}

function isTrackedUid(byUid: ReadonlyMap<string, Pod>, uid: string): boolean {
  const pod = byUid.get(uid);
  return pod !== undefined && isTracked(pod);
}

// An index is done with its first pod that succeeded; what lies beyond the completions does not count.
function indexesAfter(job: Job, succeeded: readonly Pod[]): ReadonlySet<number> {
  const indexes = parseIndexes(job.status?.completedIndexes);
  const completions = job.spec?.completions ?? 0;
  for (const index of succeeded.map(indexOf)) if (index !== undefined && index < completions) indexes.add(index);
  return indexes;
}

function uidOf({ metadata }: Pod): string {
  return metadata?.uid ?? '';
}
