import type { Pod } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { timeOf } from '../../kube/timestamp.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { isPodFinished, isPodTerminating } from '../pods/pod-facts.ts';

/** So long a node must have been away before its pods are given up. */
const QUARANTINE_MS = 40_000;
/** So many pods that have ended are kept. */
const FINISHED_LIMIT = 12_500;
const KEY = 'pods';

/** Removes pods that nobody will ever run or end: of nodes that are gone, never scheduled, or too many that have finished. */
export function startPodGarbageCollector(context: ControllerContext): Disposable {
  const { client, clock, informers } = context;
  const pods = informers.for(resources.pods);
  const nodes = informers.for(resources.nodes);
  const missingSince = new Map<string, number>();

  const isOrphan = (pod: Pod): boolean => {
    const node = pod.spec?.nodeName;
    if (!node || nodes.get(node) !== undefined) return false;
    const since = missingSince.get(node) ?? clock.now();
    missingSince.set(node, since);
    const wait = since + QUARANTINE_MS - clock.now();
    if (wait > 0) loop.enqueueAfter(KEY, wait);
    return wait <= 0;
  };
  const remove = async (pod: Pod, fail: boolean): Promise<void> => {
    const { namespace, name = '', uid } = pod.metadata ?? {};
    try {
      if (fail)
        await client.patch(
          resources.pods,
          { namespace, name },
          { type: 'merge', body: failedBody(pod) },
          { subresource: 'status' },
        );
      await client.delete(resources.pods, { namespace, name }, { uid, gracePeriodSeconds: 0 });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  };
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'podgc',
    component: 'pod-garbage-collector',
    reconcile: async () => {
      const all = pods.list();
      const unscheduled = all.filter((pod) => isPodTerminating(pod) && !pod.spec?.nodeName);
      const orphans = all.filter(isOrphan);
      const finished = all.filter(isPodFinished).sort((a, b) => ageOf(a) - ageOf(b));
      const surplus = finished.slice(0, Math.max(0, finished.length - FINISHED_LIMIT));
      await Promise.all([
        ...orphans.map((pod) => remove(pod, !isPodFinished(pod))),
        ...[...unscheduled, ...surplus].map((pod) => remove(pod, false)),
      ]);
    },
  });
  nodes.onChange(({ key, current }) => {
    if (current !== undefined) missingSince.delete(key);
    else loop.enqueue(KEY);
  });
  pods.onChange(({ current: pod }) => {
    if (pod === undefined) return;
    const lost = pod.spec?.nodeName !== undefined && nodes.get(pod.spec.nodeName) === undefined;
    if (lost || (isPodTerminating(pod) && !pod.spec?.nodeName) || (isPodFinished(pod) && pods.size > FINISHED_LIMIT))
      loop.enqueue(KEY);
  });
  return loop;
}

function failedBody(pod: Pod): unknown {
  const message = 'PodGC: node no longer exists';
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message };
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type), condition];
  return { metadata: { uid: pod.metadata?.uid }, status: { phase: 'Failed', conditions } };
}

function ageOf(pod: Pod): number {
  return timeOf(pod.metadata?.creationTimestamp) ?? 0;
}
