import type { Deployment, ReplicaSet } from '../../kube/generated/types.ts';
import { timeOf } from '../../kube/timestamp.ts';
import {
  byCreation,
  DESIRED_REPLICAS,
  isRollingUpdate,
  MAX_REPLICAS,
  maxReplicas,
  replicasOf,
  totalReplicas,
  wantedReplicas,
} from './deployment-facts.ts';
import type { SortedReplicaSets } from './new-replica-set.ts';

/** A ReplicaSet and the number of pods it is to have. */
export interface ScaleStep {
  readonly set: ReplicaSet;
  readonly replicas: number;
}

/** True when the Deployment's size was changed: then its ReplicaSets are resized before any rollout goes on. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const desired = set.metadata?.annotations?.[DESIRED_REPLICAS];
    return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== wantedReplicas(deployment);
  });
}

/** Resizes: the only active ReplicaSet takes it all, several in the middle of a rollout share it in proportion. */
export function planScale(deployment: Deployment, { newSet, oldSets }: SortedReplicaSets): readonly ScaleStep[] {
  const only = activeOrLatest(newSet, oldSets);
  if (only !== undefined) return [{ set: only, replicas: wantedReplicas(deployment) }];
  const activeOld = oldSets.filter((set) => replicasOf(set) > 0);
  if (isSaturated(deployment, newSet)) return activeOld.map((set) => ({ set, replicas: 0 }));
  if (!isRollingUpdate(deployment)) return [];
  const active = [...oldSets, ...(newSet ? [newSet] : [])].filter((set) => replicasOf(set) > 0);
  return planProportionally(deployment, active);
}

function activeOrLatest(newSet: ReplicaSet | undefined, oldSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const active = [...(newSet ? [newSet] : []), ...oldSets].filter((set) => replicasOf(set) > 0);
  if (active.length === 0) return newSet ?? [...oldSets].sort(byCreation).at(-1);
  return active.length === 1 ? active[0] : undefined;
}

function isSaturated(deployment: Deployment, newSet: ReplicaSet | undefined): boolean {
  const wanted = wantedReplicas(deployment);
  return (
    newSet !== undefined &&
    replicasOf(newSet) === wanted &&
    Number(newSet.metadata?.annotations?.[DESIRED_REPLICAS]) === wanted &&
    (newSet.status?.availableReplicas ?? 0) === wanted
  );
}

function planProportionally(deployment: Deployment, sets: readonly ReplicaSet[]): readonly ScaleStep[] {
  const allowed = wantedReplicas(deployment) > 0 ? maxReplicas(deployment) : 0;
  const toAdd = allowed - totalReplicas(sets);
  let added = 0;
  const steps = [...sets].sort(bySize(toAdd > 0 ? 'newer' : 'older')).map((set) => {
    const share = toAdd === 0 ? 0 : proportion(deployment, set, { toAdd, added });
    added += share;
    return { set, replicas: replicasOf(set) + share };
  });
  // What rounding left over goes to the largest.
  return steps.map((step, index) =>
    index === 0 ? { ...step, replicas: Math.max(0, step.replicas + toAdd - added) } : step,
  );
}

function proportion(
  deployment: Deployment,
  set: ReplicaSet,
  { toAdd, added }: { readonly toAdd: number; readonly added: number },
): number {
  if (toAdd === added) return 0;
  const fraction = fractionOf(deployment, set);
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added);
}

function fractionOf(deployment: Deployment, set: ReplicaSet): number {
  const size = replicasOf(set);
  if (wantedReplicas(deployment) === 0) return -size;
  const before = Number(set.metadata?.annotations?.[MAX_REPLICAS]) || deployment.status?.replicas || 0;
  return before === 0 ? 0 : Math.round((size * maxReplicas(deployment)) / before) - size;
}

function bySize(tie: 'newer' | 'older'): (a: ReplicaSet, b: ReplicaSet) => number {
  return (a, b) => {
    if (replicasOf(a) !== replicasOf(b)) return replicasOf(b) - replicasOf(a);
    const order = (timeOf(a.metadata?.creationTimestamp) ?? 0) - (timeOf(b.metadata?.creationTimestamp) ?? 0);
    return tie === 'older' ? order || byCreation(a, b) : -order || byCreation(b, a);
  };
}
