import type { Pod, Taint } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import { timeOf } from '../../kube/timestamp.ts';
import { toleratesTaint } from '../../kube/tolerations.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { isPodTerminating } from '../pods/pod-facts.ts';

/** When a pod has to leave a node with these taints, in milliseconds since the epoch; undefined when it may stay. */
export function evictionTime(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  const times = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .map((taint) => (timeOf(taint.timeAdded) ?? now) + toleratedMs(pod, taint));
  const first = Math.min(...times);
  return Number.isFinite(first) ? first : undefined;
}

function toleratedMs({ spec }: Pod, taint: Taint): number {
  const matching = (spec?.tolerations ?? []).filter((toleration) => toleratesTaint(toleration, taint));
  if (matching.length === 0) return 0;
  const seconds = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
  return seconds.length === 0 ? Number.POSITIVE_INFINITY : Math.max(0, Math.min(...seconds)) * 1000;
}

/** Deletes pods from nodes with NoExecute taints that they do not tolerate, or no longer. */
export function startTaintEvictionController(context: ControllerContext): Disposable {
  const { client, clock, informers, indexes } = context;
  const pods = informers.for(resources.pods);
  const nodes = informers.for(resources.nodes);
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'taint-eviction',
    component: 'taint-eviction-controller',
    reconcile: async (key) => {
      const pod = pods.get(key);
      const taints = nodes.get(pod?.spec?.nodeName ?? '')?.spec?.taints;
      if (pod === undefined || taints === undefined || isPodTerminating(pod)) return;
      const time = evictionTime(pod, taints, clock.now());
      if (time === undefined) return;
      if (time > clock.now()) return loop.enqueueAfter(key, time - clock.now());
      loop.recorder.record(resources.pods, pod, {
        type: 'Normal',
        reason: 'TaintManagerEviction',
        message: `Marking for deletion Pod ${key}`,
      });
      await evict(pod);
    },
  }).watch(pods, (pod) => (nodes.get(pod.spec?.nodeName ?? '')?.spec?.taints?.length ? [keyOf(pod)] : []));
  nodes.onChange(({ key, previous, current }) => {
    if (isSemanticallyEqual(previous?.spec?.taints, current?.spec?.taints)) return;
    for (const pod of indexes.podsByNode.get(key)) loop.enqueue(keyOf(pod));
  });
  const evict = async (pod: Pod): Promise<void> => {
    const { namespace, name = '', uid } = pod.metadata ?? {};
    try {
      await client.delete(resources.pods, { namespace, name }, { uid });
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error;
    }
  };
  return loop;
}
