import type { Pod, ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../../kube/generated/types.ts';
import { hasLabels } from '../../kube/label-selector.ts';
import { timestampOf } from '../../kube/timestamp.ts';
import { inDeletionOrder } from '../pods/deletion-order.ts';
import { isPodActive, isPodReady, isPodTerminating, untilAvailable } from '../pods/pod-facts.ts';

/** No more pods than this are created or deleted in one reconcile. */
const BURST = 500;

export interface ReplicaSetPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
}

/** How many pods are missing, or which are too many. `neighbours`: see inDeletionOrder. */
export function planReplicas(
  { spec, metadata }: ReplicaSet,
  pods: readonly Pod[],
  neighbours: (pod: Pod) => number,
): ReplicaSetPlan {
  if (metadata?.deletionTimestamp !== undefined) return { create: 0, remove: [] };
  const active = pods.filter(isPodActive);
  const missing = (spec?.replicas ?? 1) - active.length;
  if (missing >= 0) return { create: Math.min(missing, BURST), remove: [] };
  const tooMany = Math.min(-missing, BURST);
  return { create: 0, remove: inDeletionOrder(active, neighbours).slice(0, tooMany) };
}

export interface ReplicaSetStatusInput {
  readonly pods: readonly Pod[];
  /** Why pods could not be created or deleted this time. */
  readonly failure: unknown;
  /** True when the failure was one of creation. */
  readonly creating: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The status, and in how many milliseconds it changes by itself because a pod has then been ready for minReadySeconds. */
export function buildReplicaSetStatus(
  { spec, status, metadata }: ReplicaSet,
  { pods, failure, creating, now }: ReplicaSetStatusInput,
): { readonly status: ReplicaSetStatus; readonly changesIn: number | undefined } {
  const active = pods.filter(isPodActive);
  const waits = active
    .map((pod) => untilAvailable(pod, spec?.minReadySeconds ?? 0, now))
    .filter((wait) => wait !== undefined);
  const open = waits.filter((wait) => wait > 0);
  const labels = spec?.template?.metadata?.labels ?? {};
  const conditions = replicaFailure(status?.conditions ?? [], { failure, creating, now });
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => hasLabels(labels, pod.metadata?.labels)).length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: waits.length - open.length,
      terminatingReplicas: pods.filter(isPodTerminating).length,
      observedGeneration: metadata?.generation,
      ...(conditions.length > 0 ? { conditions } : {}),
    },
    changesIn: open.length > 0 ? Math.min(...open) : undefined,
  };
}

function replicaFailure(
  conditions: readonly ReplicaSetCondition[],
  { failure, creating, now }: Omit<ReplicaSetStatusInput, 'pods'>,
): readonly ReplicaSetCondition[] {
  const others = conditions.filter(({ type }) => type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const reason = creating ? 'FailedCreate' : 'FailedDelete';
  const message = failure instanceof Error ? failure.message : String(failure);
  const same = conditions.find((condition) => condition.type === 'ReplicaFailure' && condition.reason === reason);
  const since = same?.lastTransitionTime ?? timestampOf(now);
  return [...others, { type: 'ReplicaFailure', status: 'True', lastTransitionTime: since, reason, message }];
}
