import type { Job, JobCondition, Pod, PodFailurePolicyRule } from '../../kube/generated/types.ts';
import { timeOf, timestampOf } from '../../kube/timestamp.ts';
import type { JobCounts } from './count-pods.ts';

/** How a job has ended, or will as soon as its pods have. */
export interface Verdict {
  readonly outcome: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/** Decides whether a job is over; undefined while it is not. */
export function judgeJob(job: Job, counts: JobCounts, now: number): Verdict | undefined {
  return earlierVerdict(job) ?? failureOf(job, counts, now) ?? successOf(job, counts);
}

/** True when the job carries its final condition. */
export function isJobFinished({ status }: Job): boolean {
  return (
    status?.conditions?.some(
      ({ type, status: state }) => (type === 'Complete' || type === 'Failed') && state === 'True',
    ) ?? false
  );
}

/** Milliseconds until activeDeadlineSeconds is over; undefined without one. */
export function untilJobDeadline({ spec, status }: Job, now: number): number | undefined {
  const start = timeOf(status?.startTime);
  if (spec?.activeDeadlineSeconds === undefined || start === undefined) return undefined;
  return Math.max(0, start + spec.activeDeadlineSeconds * 1000 - now);
}

/** The conditions with a verdict entered: its announcement at once, the final one when no pod is left running. */
export function withVerdict(
  conditions: readonly JobCondition[],
  verdict: Verdict,
  options: { readonly final: boolean; readonly now: number },
): readonly JobCondition[] {
  const { outcome, reason, message } = verdict;
  const announcement = outcome === 'Complete' ? 'SuccessCriteriaMet' : 'FailureTarget';
  const time = timestampOf(options.now);
  const wanted = [announcement, ...(options.final ? [outcome] : [])].filter(
    (type) => !conditions.some((condition) => condition.type === type),
  );
  return [
    ...conditions,
    ...wanted.map((type) => ({ type, status: 'True', reason, message, lastProbeTime: time, lastTransitionTime: time })),
  ];
}

function earlierVerdict({ status }: Job): Verdict | undefined {
  const announced = status?.conditions?.find(
    ({ type, status: state }) => (type === 'FailureTarget' || type === 'SuccessCriteriaMet') && state === 'True',
  );
  if (announced === undefined) return undefined;
  const { type, reason = '', message = '' } = announced;
  return { outcome: type === 'FailureTarget' ? 'Failed' : 'Complete', reason, message };
}

function failureOf(job: Job, counts: JobCounts, now: number): Verdict | undefined {
  const { spec } = job;
  const ruled = counts.newlyFailed
    .map((pod) => ({ pod, rule: matchingRule(job, pod) }))
    .find(({ rule }) => rule?.action === 'FailJob');
  if (ruled !== undefined) {
    const message = `Pod ${ruled.pod.metadata?.namespace}/${ruled.pod.metadata?.name} has failed matching FailJob rule`;
    return { outcome: 'Failed', reason: 'PodFailurePolicy', message };
  }
  const limit = spec?.backoffLimit ?? 6;
  if (counts.failed > limit || restartsOver(job, counts.active, limit)) {
    return {
      outcome: 'Failed',
      reason: 'BackoffLimitExceeded',
      message: 'Job has reached the specified backoff limit',
    };
  }
  if (untilJobDeadline(job, now) === 0 && !spec?.suspend) {
    return { outcome: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  return undefined;
}

function successOf({ spec }: Job, { succeeded, active }: JobCounts): Verdict | undefined {
  const verdict = {
    outcome: 'Complete',
    reason: 'CompletionsReached',
    message: 'Reached expected number of succeeded pods',
  } as const;
  if (spec?.completions !== undefined) return succeeded >= spec.completions ? verdict : undefined;
  return succeeded > 0 && active.length === 0 ? verdict : undefined;
}

// With restartPolicy OnFailure the restarts of containers are the failures.
function restartsOver({ spec }: Job, active: readonly Pod[], limit: number): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false;
  const statuses = active.flatMap(({ status }) => [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ]);
  const restarts = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** The rule of the job's podFailurePolicy that a failed pod falls under. */
export function matchingRule({ spec }: Job, pod: Pod): PodFailurePolicyRule | undefined {
  return spec?.podFailurePolicy?.rules.find(({ onExitCodes, onPodConditions }) => {
    if (onExitCodes !== undefined) {
      const { containerName, operator, values } = onExitCodes;
      const ended = (pod.status?.containerStatuses ?? []).filter(
        ({ name }) => containerName === undefined || name === containerName,
      );
      const codes = ended.flatMap(({ state }) => state?.terminated?.exitCode ?? []).filter((code) => code !== 0);
      return codes.some((code) => values.includes(code) === (operator === 'In'));
    }
    return (
      onPodConditions?.some((pattern) =>
        pod.status?.conditions?.some(
          ({ type, status }) => type === pattern.type && status === (pattern.status ?? 'True'),
        ),
      ) ?? false
    );
  });
}
