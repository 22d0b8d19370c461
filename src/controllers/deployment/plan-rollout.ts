import type { Deployment, ReplicaSet } from '../../kube/generated/types.ts';
import {
  byCreation,
  maxReplicas,
  maxUnavailable,
  replicasOf,
  totalAvailable,
  totalReplicas,
  wantedReplicas,
} from './deployment-facts.ts';
import type { SortedReplicaSets } from './new-replica-set.ts';
import type { ScaleStep } from './plan-scale.ts';

/** How many pods the new ReplicaSet may have now: up to the wanted number, as far as maxSurge allows. */
export function newSetSize(
  deployment: Deployment,
  newSet: ReplicaSet | undefined,
  sets: readonly ReplicaSet[],
): number {
  const size = newSet === undefined ? 0 : replicasOf(newSet);
  const wanted = wantedReplicas(deployment);
  if (size >= wanted) return wanted;
  const room = maxReplicas(deployment) - totalReplicas(sets);
  return room <= 0 ? size : size + Math.min(room, wanted - size);
}

/** One step of a rolling update: first the new ReplicaSet up, then the old ones down as far as maxUnavailable allows. */
export function planRollingUpdate(
  deployment: Deployment,
  { newSet, oldSets }: SortedReplicaSets,
): readonly ScaleStep[] {
  if (newSet === undefined) return [];
  const replicas = newSetSize(deployment, newSet, [newSet, ...oldSets]);
  if (replicas !== replicasOf(newSet)) return [{ set: newSet, replicas }];
  return planScaleDown(deployment, newSet, oldSets);
}

/** Recreate: first all old ReplicaSets to nothing; `oldPodsRun` holds the new one back until their pods are gone. */
export function planRecreate(
  deployment: Deployment,
  { newSet, oldSets }: SortedReplicaSets,
  oldPodsRun: boolean,
): readonly ScaleStep[] {
  const active = oldSets.filter((set) => replicasOf(set) > 0);
  if (active.length > 0) return active.map((set) => ({ set, replicas: 0 }));
  const ready = newSet !== undefined && !oldPodsRun && replicasOf(newSet) !== wantedReplicas(deployment);
  return ready ? [{ set: newSet, replicas: wantedReplicas(deployment) }] : [];
}

/** Old ReplicaSets beyond revisionHistoryLimit, lowest revision first; only those without pods. */
export function planCleanup(
  deployment: Deployment,
  oldSets: readonly ReplicaSet[],
  revisionOf: (set: ReplicaSet) => number,
): readonly ReplicaSet[] {
  const limit = deployment.spec?.revisionHistoryLimit ?? 10;
  const alive = oldSets.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  const surplus = [...alive].sort((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, alive.length - limit));
  return surplus.filter(
    (set) =>
      replicasOf(set) === 0 &&
      (set.status?.replicas ?? 0) === 0 &&
      (set.metadata?.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
  );
}

function planScaleDown(
  deployment: Deployment,
  newSet: ReplicaSet,
  oldSets: readonly ReplicaSet[],
): readonly ScaleStep[] {
  const active = oldSets.filter((set) => replicasOf(set) > 0).sort(byCreation);
  const minAvailable = wantedReplicas(deployment) - maxUnavailable(deployment);
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  const maxScaledDown = totalReplicas([newSet, ...oldSets]) - minAvailable - newUnavailable;
  if (active.length === 0 || maxScaledDown <= 0) return [];
  const sizes = new Map(active.map((set) => [set, replicasOf(set)]));
  dropUnhealthy(sizes, maxScaledDown);
  dropSurplus(sizes, totalAvailable([newSet, ...oldSets]) - minAvailable);
  return [...sizes]
    .filter(([set, replicas]) => replicas !== replicasOf(set))
    .map(([set, replicas]) => ({ set, replicas }));
}

// Pods that serve nobody go first: they do not count against maxUnavailable.
function dropUnhealthy(sizes: Map<ReplicaSet, number>, budget: number): void {
  let left = budget;
  for (const [set, size] of sizes) {
    const drop = Math.min(left, size - (set.status?.availableReplicas ?? 0));
    if (drop <= 0) continue;
    sizes.set(set, size - drop);
    left -= drop;
  }
}

function dropSurplus(sizes: Map<ReplicaSet, number>, budget: number): void {
  let left = budget;
  for (const [set, size] of sizes) {
    const drop = Math.min(left, size);
    if (drop <= 0) continue;
    sizes.set(set, size - drop);
    left -= drop;
  }
}
