import type { Job } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { timeOf } from '../../kube/timestamp.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';

/** Deletes finished Jobs when their ttlSecondsAfterFinished are over. */
export function startTTLAfterFinishedController(context: ControllerContext): Disposable {
  const { client, clock, informers } = context;
  const jobs = informers.for(resources.jobs);
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'ttl-after-finished',
    reconcile: async (key) => {
      const job = jobs.get(key);
      const end = job && endOfLife(job);
      if (job === undefined || end === undefined) return;
      const wait = end - clock.now();
      if (wait > 0) return loop.enqueueAfter(key, wait);
      const { namespace, name = '', uid, resourceVersion } = job.metadata ?? {};
      try {
        await client.delete(
          resources.jobs,
          { namespace, name },
          { uid, resourceVersion, propagationPolicy: 'Foreground' },
        );
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error;
      }
    },
  }).watch(jobs, (job) => (endOfLife(job) === undefined ? [] : [keyOf(job)]));
  return loop;
}

function endOfLife({ metadata, spec, status }: Job): number | undefined {
  if (spec?.ttlSecondsAfterFinished === undefined || metadata?.deletionTimestamp !== undefined) return undefined;
  const finished = status?.conditions?.find(
    ({ type, status: state }) => (type === 'Complete' || type === 'Failed') && state === 'True',
  );
  const time = timeOf(finished?.lastTransitionTime);
  return time === undefined ? undefined : time + spec.ttlSecondsAfterFinished * 1000;
}
