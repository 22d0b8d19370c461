import type { Pod, PodCondition } from '../../kube/generated/types.ts';
import { timeOf } from '../../kube/timestamp.ts';

/** A condition of the pod's status. */
export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

/** True when the pod's Ready condition is True. */
export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** True when all its containers have ended for good. */
export function isPodFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

export function isPodTerminating({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

/** True when the pod counts as a replica: neither finished nor being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && !isPodTerminating(pod);
}

// Parsing a time costs more than all else that is asked of a pod, and a pod is asked often; its object never changes.
const readyTimes = new WeakMap<Pod, number | false>();

/** When the Ready condition last changed, in milliseconds since the epoch; undefined without one. */
export function readyTransitionTime(pod: Pod): number | undefined {
  let time = readyTimes.get(pod);
  if (time === undefined) {
    time = timeOf(podCondition(pod, 'Ready')?.lastTransitionTime) ?? false;
    readyTimes.set(pod, time);
  }
  return time === false ? undefined : time;
}

/** Milliseconds until a ready pod has been ready for `minReadySeconds`: 0 when it has, undefined when it is not ready. */
export function untilAvailable(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  const since = readyTransitionTime(pod);
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}
