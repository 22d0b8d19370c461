import { hasCode } from '../../errors/towtank-error.ts';
import type { CronJob, CronJobStatus, Job } from '../../kube/generated/types.ts';
import { controllerOf, isControlledBy } from '../../kube/owner-references.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { timeOf, timestampOf } from '../../kube/timestamp.ts';
import { isJobFinished } from '../job/judge-job.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { type CronSchedule, nextDue, parseCronSchedule } from './cron-schedule.ts';
import { activeRuns, buildCronJobRun, type Due, lastDue, surplusRuns } from './plan-cron-job.ts';

/** Makes a Job of each CronJob whenever its schedule says so. */
export function startCronJobController(context: ControllerContext): Disposable {
  return new CronJobController(context).loop;
}

class CronJobController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    this.loop = new ControllerLoop(context, { name: 'cronjob', reconcile: (key) => this.#reconcile(key) })
      .watch(informers.for(resources.cronJobs), (cronJob) => [keyOf(cronJob)])
      .watch(informers.for(resources.jobs), (job) => {
        const owner = controllerOf(job);
        return owner?.kind === 'CronJob' ? [`${job.metadata?.namespace}/${owner.name}`] : [];
      });
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, clock } = this.#context;
    const cronJob = informers.for(resources.cronJobs).get(key);
    if (cronJob === undefined) return this.loop.fence.forget(key);
    if (cronJob.metadata?.deletionTimestamp !== undefined) return;
    const runs = informers
      .for(resources.jobs)
      .list()
      .filter((job) => isControlledBy(job, cronJob));
    await Promise.all(surplusRuns(cronJob, runs).map((job) => this.#deleteRun(cronJob, job)));
    const schedule = this.#scheduleOf(cronJob);
    if (schedule === undefined) return;
    const now = clock.now();
    const due = cronJob.spec?.suspend ? undefined : lastDue(cronJob, schedule, now);
    const started = due === undefined ? undefined : await this.#run(cronJob, due, runs);
    await this.#writeStatus(
      cronJob,
      started === undefined
        ? runs
        : [...runs.filter(({ metadata }) => metadata?.name !== started.metadata?.name), started],
      started && due,
    );
    const next = nextDue(schedule, now);
    if (next !== undefined) this.loop.enqueueAfter(key, next - now);
  }

  #scheduleOf(cronJob: CronJob): CronSchedule | undefined {
    try {
      return parseCronSchedule(cronJob.spec?.schedule ?? '', cronJob.spec?.timeZone);
    } catch (error) {
      if (!hasCode(error, 'ERR_INVALID_MANIFEST')) throw error;
      this.#tell(cronJob, 'Warning', 'UnparseableSchedule', error.message);
      return undefined;
    }
  }

  // Resolves with the Job that was made, if one was.
  async #run(cronJob: CronJob, { time, missed }: Due, runs: readonly Job[]): Promise<Job | undefined> {
    const { client, informers } = this.#context;
    const active = runs.filter((job) => !isJobFinished(job));
    if (missed > 99)
      this.#tell(
        cronJob,
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    if (cronJob.spec?.concurrencyPolicy === 'Forbid' && active.length > 0) {
      this.#tell(
        cronJob,
        'Normal',
        'JobAlreadyActive',
        'Not starting job because prior execution is running and concurrency policy is Forbid',
      );
      return undefined;
    }
    if (cronJob.spec?.concurrencyPolicy === 'Replace')
      await Promise.all(active.map((job) => this.#deleteRun(cronJob, job)));
    try {
      const job = await client.create(resources.jobs, buildCronJobRun(cronJob, time));
      this.loop.fence.expectWritten(keyOf(cronJob), informers.for(resources.jobs), job);
      this.#tell(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata?.name}`);
      return job;
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
      return runs.find(({ metadata }) => metadata?.name === buildCronJobRun(cronJob, time).metadata?.name);
    }
  }

  async #deleteRun(cronJob: CronJob, job: Job): Promise<void> {
    const { client, informers } = this.#context;
    const { namespace, name = '', uid } = job.metadata ?? {};
    try {
      await client.delete(resources.jobs, { namespace, name }, { uid, propagationPolicy: 'Background' });
      this.#tell(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
    this.loop.fence.expectDeleted(keyOf(cronJob), informers.for(resources.jobs), job);
  }

  async #writeStatus(cronJob: CronJob, runs: readonly Job[], ran: Due | undefined): Promise<void> {
    const successes = runs
      .flatMap(({ status }) => (status?.completionTime ? [status.completionTime] : []))
      .sort((a, b) => (timeOf(a) ?? 0) - (timeOf(b) ?? 0));
    const active = activeRuns(runs);
    const { lastScheduleTime, lastSuccessfulTime } = cronJob.status ?? {};
    const scheduled = ran === undefined ? lastScheduleTime : timestampOf(ran.time);
    const succeeded = successes.at(-1) ?? lastSuccessfulTime;
    const status: CronJobStatus = {
      ...(active.length > 0 ? { active } : {}),
      ...(scheduled === undefined ? {} : { lastScheduleTime: scheduled }),
      ...(succeeded === undefined ? {} : { lastSuccessfulTime: succeeded }),
    };
    await this.loop.writeStatus(resources.cronJobs, cronJob, status);
  }

  #tell(cronJob: CronJob, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.loop.recorder.record(resources.cronJobs, cronJob, { type, reason, message });
  }
}
