import type { Deployment, ReplicaSet } from '../../kube/generated/types.ts';
import { timeOf } from '../../kube/timestamp.ts';
import { resolveIntOrPercent } from '../pods/int-or-percent.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
export const TEMPLATE_HASH = 'pod-template-hash';

/** How many pods the Deployment wants. */
export function wantedReplicas({ spec }: Deployment): number {
  return spec?.replicas ?? 1;
}

export function isRollingUpdate({ spec }: Deployment): boolean {
  return spec?.strategy?.type !== 'Recreate';
}

/** How many pods there may be beyond the wanted number during a rolling update. */
export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? fenceposts(deployment).surge : 0;
}

/** How many of the wanted pods may be missing during a rolling update. */
export function maxUnavailable(deployment: Deployment): number {
  const replicas = wantedReplicas(deployment);
  if (!isRollingUpdate(deployment) || replicas === 0) return 0;
  return Math.min(fenceposts(deployment).unavailable, replicas);
}

// Both zero would stop every update: then one may be missing.
function fenceposts(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  const total = wantedReplicas(deployment);
  const { maxSurge: up, maxUnavailable: down } = deployment.spec?.strategy?.rollingUpdate ?? {};
  const surge = resolveIntOrPercent(up, { total, round: 'up', fallback: '25%' });
  const unavailable = resolveIntOrPercent(down, { total, round: 'down', fallback: '25%' });
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

/** The most pods that all ReplicaSets together may have. */
export function maxReplicas(deployment: Deployment): number {
  return wantedReplicas(deployment) + maxSurge(deployment);
}

/** The number in the spec of a ReplicaSet. */
export function replicasOf(set: ReplicaSet): number {
  return set.spec?.replicas ?? 1;
}

export function totalReplicas(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0);
}

export function totalAvailable(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
}

/** The revision annotation as a number; 0 without one. */
export function revisionOf({ metadata }: ReplicaSet | Deployment): number {
  return Number(metadata?.annotations?.[REVISION] ?? 0) || 0;
}

/** Oldest first; of the same second, by name. */
export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const difference = (timeOf(a.metadata?.creationTimestamp) ?? 0) - (timeOf(b.metadata?.creationTimestamp) ?? 0);
  return difference !== 0 ? difference : (a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1;
}
