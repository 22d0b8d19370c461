import type { Job, JobCondition, JobStatus, Pod } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { isReason } from '../../kube/status.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { PodControl } from '../pods/pod-control.ts';
import { slowStart } from '../pods/slow-start.ts';
import { countPods, type JobCounts } from './count-pods.ts';
import { buildJobPod, isTracked, TRACKING } from './job-pods.ts';
import { isJobFinished, judgeJob, matchingRule, untilJobDeadline, type Verdict, withVerdict } from './judge-job.ts';
import { planJobPods } from './plan-job-pods.ts';

const FIRST_BACKOFF_MS = 10_000;
const LAST_BACKOFF_MS = 600_000;

/** Runs Jobs: pods until enough of them have succeeded, or too many failed. */
export function startJobController(context: ControllerContext): Disposable {
  return new JobController(context).loop;
}

class JobController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #pods: PodControl<Job>;
  /** Failures in a row and when the next try may be made, by key. */
  readonly #backoff = new Map<string, { readonly failures: number; readonly until: number }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    const { informers } = context;
    const loop = new ControllerLoop(context, { name: 'job', reconcile: (key) => this.#reconcile(key) });
    this.loop = loop;
    this.#pods = new PodControl(context, { loop, type: resources.jobs });
    loop
      .watch(informers.for(resources.jobs), (job) => [keyOf(job)])
      .watch(informers.for(resources.pods), (pod) => this.#pods.ownersOf(pod, selectorOf));
  }

  async #reconcile(key: string): Promise<void> {
    const { informers, indexes, clock } = this.#context;
    const job = informers.for(resources.jobs).get(key);
    if (job === undefined) {
      this.#backoff.delete(key);
      return this.loop.fence.forget(key);
    }
    // Whoever deletes the job lets its pods go, counted or not.
    if (job.metadata?.deletionTimestamp !== undefined || isJobFinished(job))
      return this.#untrack(key, indexes.podsByController.get(job.metadata?.uid ?? ''));
    const pods = await this.#pods.claim(job, selectorOf(job));
    const counts = countPods(job, pods);
    const now = clock.now();
    const started =
      job.status?.startTime === undefined && !job.spec?.suspend
        ? { ...job, status: { ...job.status, startTime: timestampOf(now) } }
        : job;
    const verdict = judgeJob(started, counts, now);
    // The last word is said when every pod has ended and is a number: nobody counts after it.
    const final =
      verdict !== undefined && counts.active.length + counts.counted.length + (counts.status.terminating ?? 0) === 0;
    await this.#writeStatus(started, { counts, verdict, final, now });
    this.#noteFailures(job, counts, now);
    await this.#untrack(key, counts.counted);
    if (verdict !== undefined) await Promise.all(counts.active.map((pod) => this.#pods.delete(job, pod)));
    else await this.#carryOut(started, counts, pods);
  }

  async #carryOut(job: Job, counts: JobCounts, pods: readonly Pod[]): Promise<void> {
    const key = keyOf(job);
    const now = this.#context.clock.now();
    const deadline = untilJobDeadline(job, now);
    if (deadline !== undefined && !job.spec?.suspend) this.loop.enqueueAfter(key, deadline);
    const { create, remove } = planJobPods(job, counts, pods);
    await Promise.all(remove.map((pod) => this.#pods.delete(job, pod)));
    if (create.length === 0) return;
    const wait = (this.#backoff.get(key)?.until ?? 0) - now;
    if (wait > 0) return this.loop.enqueueAfter(key, wait);
    const { failure } = await slowStart(
      create.length,
      async (i) => void (await this.#pods.create(job, buildJobPod(job, create[i]))),
    );
    if (failure !== undefined) throw failure;
  }

  #noteFailures(job: Job, { newlyFailed, newlySucceeded }: JobCounts, now: number): void {
    const key = keyOf(job);
    if (newlySucceeded > 0) this.#backoff.delete(key);
    const counting = newlyFailed.filter((pod) => matchingRule(job, pod)?.action !== 'Ignore');
    if (counting.length === 0) return;
    const failures = (this.#backoff.get(key)?.failures ?? 0) + counting.length;
    this.#backoff.set(key, {
      failures,
      until: now + Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), LAST_BACKOFF_MS),
    });
  }

  async #writeStatus(
    job: Job,
    {
      counts,
      verdict,
      final,
      now,
    }: {
      readonly counts: JobCounts;
      readonly verdict: Verdict | undefined;
      readonly final: boolean;
      readonly now: number;
    },
  ): Promise<void> {
    const before = this.#context.informers.for(resources.jobs).get(keyOf(job));
    const suspended = this.#withSuspended(job, now);
    const conditions = verdict === undefined ? suspended : withVerdict(suspended, verdict, { final, now });
    const { startTime } = job.status ?? {};
    const status: JobStatus = {
      ...counts.status,
      ...(startTime === undefined || (job.spec?.suspend && verdict === undefined) ? {} : { startTime }),
      ...(conditions.length > 0 ? { conditions } : {}),
      ...(final && verdict?.outcome === 'Complete' ? { completionTime: timestampOf(now) } : {}),
    };
    if (isSemanticallyEqual(status, before?.status)) return;
    const { client, informers } = this.#context;
    const written = await client.update(resources.jobs, { ...job, status }, { subresource: 'status' });
    this.loop.fence.expectWritten(keyOf(job), informers.for(resources.jobs), written);
    if (final && verdict !== undefined) this.#tellEnd(job, verdict);
  }

  #withSuspended(job: Job, now: number): readonly JobCondition[] {
    const conditions = job.status?.conditions ?? [];
    const current = conditions.find(({ type }) => type === 'Suspended');
    const wanted = job.spec?.suspend ? 'True' : 'False';
    if (current === undefined ? wanted === 'False' : current.status === wanted) return conditions;
    const time = timestampOf(now);
    const [reason, message] = wanted === 'True' ? ['JobSuspended', 'Job suspended'] : ['JobResumed', 'Job resumed'];
    this.loop.recorder.record(resources.jobs, job, {
      type: 'Normal',
      reason: wanted === 'True' ? 'Suspended' : 'Resumed',
      message,
    });
    const condition = {
      type: 'Suspended',
      status: wanted,
      reason,
      message,
      lastProbeTime: time,
      lastTransitionTime: time,
    };
    return [...conditions.filter(({ type }) => type !== 'Suspended'), condition];
  }

  async #untrack(key: string, pods: readonly Pod[]): Promise<void> {
    const { client, informers } = this.#context;
    await Promise.all(
      pods.filter(isTracked).map(async ({ metadata }) => {
        const { namespace, name = '', uid, resourceVersion, finalizers = [] } = metadata ?? {};
        const body = {
          metadata: { uid, resourceVersion, finalizers: finalizers.filter((finalizer) => finalizer !== TRACKING) },
        };
        try {
          const written = await client.patch(resources.pods, { namespace, name }, { type: 'merge', body });
          this.loop.fence.expectWritten(key, informers.for(resources.pods), written);
        } catch (error) {
          if (!isReason(error, 'NotFound')) throw error;
        }
      }),
    );
  }

  #tellEnd(job: Job, { outcome, reason, message }: Verdict): void {
    if (outcome === 'Complete')
      this.loop.recorder.record(resources.jobs, job, { type: 'Normal', reason: 'Completed', message: 'Job completed' });
    else this.loop.recorder.record(resources.jobs, job, { type: 'Warning', reason, message });
  }
}

// The server gives every Job a selector of its own; one without (written past the server) still finds its pods.
function selectorOf({ spec, metadata }: Job) {
  return spec?.selector ?? { matchLabels: { 'batch.kubernetes.io/controller-uid': metadata?.uid ?? '' } };
}
