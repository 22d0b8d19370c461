import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../../kube/generated/types.ts';
import { timeOf, timestampOf } from '../../kube/timestamp.ts';
import { maxUnavailable, totalAvailable, wantedReplicas } from './deployment-facts.ts';
import type { SortedReplicaSets } from './new-replica-set.ts';

export interface DeploymentStatusInput extends SortedReplicaSets {
  /** Set when this reconcile made a new ReplicaSet. */
  readonly created?: ReplicaSet | undefined;
  /** Rollout conditions are kept up while a rollout may go on, not while the Deployment is resized, paused or deleted. */
  readonly rollout: boolean;
  readonly now: number;
}

type ConditionFacts = Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>;
type Conditions = readonly DeploymentCondition[];

/** The status that follows from the ReplicaSets, its conditions in kube-controller-manager's words. */
export function buildDeploymentStatus(deployment: Deployment, input: DeploymentStatusInput): DeploymentStatus {
  const counts = countReplicas(deployment, input);
  const conditions = buildConditions(deployment, counts, input);
  const { collisionCount } = deployment.status ?? {};
  return { ...counts, ...(collisionCount === undefined ? {} : { collisionCount }), conditions };
}

/** True when every pod is of the new template and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = wantedReplicas(deployment);
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0)
  );
}

/** Milliseconds until the progress deadline has to be looked at again; undefined when there is nothing to wait for. */
export function untilDeadline(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const deadline = deployment.spec?.progressDeadlineSeconds;
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  if (deadline === undefined || progressing === undefined || isComplete(deployment, status)) return undefined;
  if (progressing.reason === 'ProgressDeadlineExceeded') return undefined;
  return Math.max(0, (timeOf(progressing.lastUpdateTime) ?? now) + deadline * 1000 - now) + 1000;
}

function countReplicas({ metadata, status }: Deployment, { newSet, oldSets }: DeploymentStatusInput): DeploymentStatus {
  const sets = newSet === undefined ? oldSets : [newSet, ...oldSets];
  const sum = (field: 'replicas' | 'readyReplicas' | 'terminatingReplicas'): number =>
    sets.reduce((total, set) => total + (set.status?.[field] ?? 0), 0);
  const available = totalAvailable(sets);
  const terminating = sum('terminatingReplicas');
  return {
    observedGeneration: Math.max(metadata?.generation ?? 0, status?.observedGeneration ?? 0),
    replicas: sum('replicas'),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum('replicas') - available),
    terminatingReplicas: terminating,
  };
}

function buildConditions(deployment: Deployment, counts: DeploymentStatus, input: DeploymentStatusInput): Conditions {
  const { now } = input;
  let conditions = withPaused(deployment, deployment.status?.conditions ?? [], now);
  const enough = (counts.availableReplicas ?? 0) >= wantedReplicas(deployment) - maxUnavailable(deployment);
  conditions = withCondition(conditions, enough ? AVAILABLE : UNAVAILABLE, now);
  if (deployment.spec?.progressDeadlineSeconds === undefined)
    conditions = conditions.filter(({ type }) => type !== 'Progressing');
  else if (input.rollout) conditions = withProgress(deployment, conditions, { counts, input });
  return input.rollout ? withReplicaFailure(conditions, input) : conditions;
}

const AVAILABLE: ConditionFacts = {
  type: 'Available',
  status: 'True',
  reason: 'MinimumReplicasAvailable',
  message: 'Deployment has minimum availability.',
};
const UNAVAILABLE: ConditionFacts = {
  type: 'Available',
  status: 'False',
  reason: 'MinimumReplicasUnavailable',
  message: 'Deployment does not have minimum availability.',
};

function withPaused({ spec }: Deployment, conditions: Conditions, now: number): Conditions {
  const reason = conditions.find(({ type }) => type === 'Progressing')?.reason;
  if (spec?.progressDeadlineSeconds === undefined || reason === 'ProgressDeadlineExceeded') return conditions;
  const progressing = { type: 'Progressing', status: 'Unknown' };
  if (spec.paused && reason !== 'DeploymentPaused') {
    return withCondition(
      conditions,
      { ...progressing, reason: 'DeploymentPaused', message: 'Deployment is paused' },
      now,
    );
  }
  if (!spec.paused && reason === 'DeploymentPaused') {
    return withCondition(
      conditions,
      { ...progressing, reason: 'DeploymentResumed', message: 'Deployment is resumed' },
      now,
    );
  }
  return conditions;
}

function withProgress(
  deployment: Deployment,
  conditions: Conditions,
  { counts, input }: { readonly counts: DeploymentStatus; readonly input: DeploymentStatusInput },
): Conditions {
  const { now, created, newSet } = input;
  const started = withStart(conditions, { now, created, newSet });
  const current = started.find(({ type }) => type === 'Progressing');
  if (counts.replicas === counts.updatedReplicas && current?.reason === 'NewReplicaSetAvailable') return started;
  const set = newSet ?? created;
  const subject = set ? `ReplicaSet "${set.metadata?.name}"` : `Deployment "${deployment.metadata?.name}"`;
  const progressing = { type: 'Progressing', status: 'True' };
  if (isComplete(deployment, counts)) {
    const message = `${subject} has successfully progressed.`;
    return withCondition(started, { ...progressing, reason: 'NewReplicaSetAvailable', message }, now);
  }
  if (hasProgressed(deployment.status ?? {}, counts)) {
    const facts = { ...progressing, reason: 'ReplicaSetUpdated', message: `${subject} is progressing.` };
    return withFreshCondition(started, facts, now);
  }
  const deadline = (deployment.spec?.progressDeadlineSeconds ?? 0) * 1000;
  const timedOut = current !== undefined && (timeOf(current.lastUpdateTime) ?? now) + deadline < now;
  if (!timedOut || current.reason === 'NewReplicaSetAvailable') return started;
  const message = `${subject} has timed out progressing.`;
  return withCondition(
    started,
    { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message },
    now,
  );
}

function withStart(
  conditions: Conditions,
  { now, created, newSet }: Pick<DeploymentStatusInput, 'now' | 'created' | 'newSet'>,
): Conditions {
  const progressing = { type: 'Progressing', status: 'True' };
  if (created !== undefined) {
    const message = `Created new replica set "${created.metadata?.name}"`;
    return withCondition(conditions, { ...progressing, reason: 'NewReplicaSetCreated', message }, now);
  }
  if (newSet === undefined || conditions.some(({ type }) => type === 'Progressing')) return conditions;
  const message = `Found new replica set "${newSet.metadata?.name}"`;
  return withCondition(conditions, { ...progressing, reason: 'FoundNewReplicaSet', message }, now);
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  const more = (field: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'): boolean =>
    (after[field] ?? 0) > (before[field] ?? 0);
  return more('updatedReplicas') || old(after) < old(before) || more('readyReplicas') || more('availableReplicas');
}

// The new ReplicaSet's failure is of more interest than an old one's.
function withReplicaFailure(conditions: Conditions, { newSet, oldSets, now }: DeploymentStatusInput): Conditions {
  const failureOf = (set: ReplicaSet | undefined) =>
    set?.status?.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const failure = failureOf(newSet) ?? oldSets.map(failureOf).find((found) => found !== undefined);
  if (failure === undefined) return conditions.filter(({ type }) => type !== 'ReplicaFailure');
  const { status, reason, message } = failure;
  return withCondition(conditions, { type: 'ReplicaFailure', status, reason, message }, now);
}

// Same status and reason: nothing changed. Same status alone: the time of the last transition stays.
function withCondition(conditions: Conditions, facts: ConditionFacts, now: number): Conditions {
  const current = conditions.find(({ type }) => type === facts.type);
  if (current?.status === facts.status && current.reason === facts.reason) return conditions;
  return withFreshCondition(conditions, facts, now);
}

function withFreshCondition(conditions: Conditions, facts: ConditionFacts, now: number): Conditions {
  const current = conditions.find(({ type }) => type === facts.type);
  const lastUpdateTime = timestampOf(now);
  const lastTransitionTime = current?.status === facts.status ? current.lastTransitionTime : lastUpdateTime;
  return [...conditions.filter(({ type }) => type !== facts.type), { ...facts, lastUpdateTime, lastTransitionTime }];
}
