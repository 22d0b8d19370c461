import type { CronJob, Job, ObjectReference } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { timeOf } from '../../kube/timestamp.ts';
import { isJobFinished } from '../job/judge-job.ts';
import { type CronSchedule, nextDue } from './cron-schedule.ts';

/** The last time that was missed up to now, and how many were; undefined when none was. */
export interface Due {
  readonly time: number;
  readonly missed: number;
}

/** When the CronJob should have run last, no longer ago than startingDeadlineSeconds and not before it ran last. */
export function lastDue({ metadata, spec, status }: CronJob, schedule: CronSchedule, now: number): Due | undefined {
  const deadline = spec?.startingDeadlineSeconds;
  const since = timeOf(status?.lastScheduleTime) ?? timeOf(metadata?.creationTimestamp) ?? now;
  let time = Math.max(since, deadline === undefined ? 0 : now - deadline * 1000);
  let due: Due | undefined;
  // Of many missed times only the last counts; after 100 nobody counts on.
  for (let missed = 1; missed <= 100; missed++) {
    const next = nextDue(schedule, time);
    if (next === undefined || next > now) return due;
    due = { time: next, missed };
    time = next;
  }
  return due && { ...due, time: latestBefore(schedule, now) ?? due.time };
}

function latestBefore(schedule: CronSchedule, now: number): number | undefined {
  for (const back of [3_600_000, 86_400_000, 32 * 86_400_000, 366 * 86_400_000]) {
    let latest: number | undefined;
    for (let next = nextDue(schedule, now - back); next !== undefined && next <= now; next = nextDue(schedule, next))
      latest = next;
    if (latest !== undefined) return latest;
  }
  return undefined;
}

/** The Job of one due time: its name says which, so that it is made only once. */
export function buildCronJobRun(cronJob: CronJob, time: number): Job {
  const { metadata, spec } = cronJob.spec?.jobTemplate ?? {};
  const { name = '', namespace } = cronJob.metadata ?? {};
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(time / 60_000)}`,
      namespace,
      labels: metadata?.labels,
      annotations: {
        ...metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': new Date(time).toISOString().replace('.000Z', 'Z'),
      },
      ownerReferences: [controllerReferenceTo(resources.cronJobs, cronJob)],
    },
    spec: spec!,
  };
}

/** Finished Jobs beyond the history limits, oldest first. */
export function surplusRuns({ spec }: CronJob, runs: readonly Job[]): readonly Job[] {
  const has = (job: Job, type: string): boolean =>
    job.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  const byAge = (a: Job, b: Job): number =>
    (timeOf(a.metadata?.creationTimestamp) ?? 0) - (timeOf(b.metadata?.creationTimestamp) ?? 0);
  const beyond = (type: string, limit: number): readonly Job[] => {
    const finished = runs.filter((job) => has(job, type)).sort(byAge);
    return finished.slice(0, Math.max(0, finished.length - limit));
  };
  return [
    ...beyond('Complete', spec?.successfulJobsHistoryLimit ?? 3),
    ...beyond('Failed', spec?.failedJobsHistoryLimit ?? 1),
  ];
}

/** References to the runs that have not finished. */
export function activeRuns(runs: readonly Job[]): readonly ObjectReference[] {
  return runs
    .filter((job) => !isJobFinished(job))
    .map(({ metadata }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      namespace: metadata?.namespace,
      name: metadata?.name,
      uid: metadata?.uid,
    }));
}
