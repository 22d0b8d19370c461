import type { Pod, Service } from '../../kube/generated/types.ts';
import { timeOf, timestampOf } from '../../kube/timestamp.ts';
import { readyTransitionTime } from '../pods/pod-facts.ts';

interface Seen {
  readonly service: number;
  readonly pods: ReadonlyMap<string, number>;
}

/** Finds out which change made a reconcile necessary, so that the way of a change to the rules can be measured. */
export class TriggerTimeTracker {
  readonly #seen = new Map<string, Seen>();

  /** The earliest change (a pod's readiness, the Service's creation) since the last call for this key; undefined when there is none. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#seen.get(key);
    const times = new Map<string, number>();
    let earliest = Number.POSITIVE_INFINITY;
    for (const pod of pods) {
      const time = readyTransitionTime(pod);
      const name = pod.metadata?.name ?? '';
      if (time === undefined) continue;
      times.set(name, time);
      if (time > (before?.pods.get(name) ?? 0)) earliest = Math.min(earliest, time);
    }
    const created = timeOf(service.metadata?.creationTimestamp) ?? 0;
    if (created > (before?.service ?? 0)) earliest = Math.min(earliest, created);
    this.#seen.set(key, { service: created, pods: times });
    return Number.isFinite(earliest) ? timestampOf(earliest) : undefined;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}
