import type { Pod, StatefulSet, StatefulSetStatus } from '../../kube/generated/types.ts';
import { resolveIntOrPercent } from '../pods/int-or-percent.ts';
import { isPodFinished, isPodReady, isPodTerminating, untilAvailable } from '../pods/pod-facts.ts';
import { REVISION_HASH } from '../revisions/controller-revisions.ts';
import { ordinalOf } from './build-stateful-pod.ts';

export interface StatefulSetFacts {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** Names of ControllerRevisions. */
  readonly currentRevision: string;
  readonly updateRevision: string;
  readonly now: number;
}

export interface StatefulSetPlan {
  /** Ordinals of pods to create, and in which revision. */
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[];
  readonly remove: readonly Pod[];
  /** Milliseconds until a pod has been ready for minReadySeconds. */
  readonly changesIn: number | undefined;
}

/**
 * The next step: pods are created from the lowest ordinal up and removed from the highest down, one after the other and each
 * only when those before are ready; with podManagementPolicy Parallel all at once. Then old pods are exchanged.
 */
export function planStatefulSet(facts: StatefulSetFacts): StatefulSetPlan {
  const { set } = facts;
  const changesIn = nextAvailability(facts);
  const nothing: StatefulSetPlan = { create: [], remove: [], changesIn };
  if (set.metadata?.deletionTimestamp !== undefined) return nothing;
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  const replicas = planReplicas(facts);
  if (replicas.create.length + replicas.remove.length > 0) {
    return { changesIn, create: ordered ? replicas.create.slice(0, 1) : replicas.create, remove: replicas.remove };
  }
  if (ordered && replicas.waiting) return nothing;
  const surplus = surplusPods(facts);
  if (surplus.length > 0)
    return { ...nothing, remove: ordered ? firstToGo(surplus) : surplus.filter((pod) => !isPodTerminating(pod)) };
  return { ...nothing, remove: planUpdate(facts) };
}

interface ReplicaSteps {
  readonly create: StatefulSetPlan['create'];
  readonly remove: readonly Pod[];
  /** True when a pod is not ready yet, or is going. */
  readonly waiting: boolean;
}

function planReplicas(facts: StatefulSetFacts): ReplicaSteps {
  const { set, now } = facts;
  const ordered = set.spec?.podManagementPolicy !== 'Parallel';
  const byOrdinal = new Map(facts.pods.map((pod) => [ordinalOf(set, pod), pod]));
  const create: { readonly ordinal: number; readonly revision: string }[] = [];
  const remove: Pod[] = [];
  let waiting = false;
  for (const ordinal of ordinals(set)) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) create.push({ ordinal, revision: revisionFor(facts, ordinal) });
    else if (isPodFinished(pod) && !isPodTerminating(pod)) remove.push(pod);
    else if (isPodTerminating(pod) || untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) !== 0) waiting = true;
    if (ordered && (waiting || create.length + remove.length > 0)) break;
  }
  return { create, remove, waiting };
}

function ordinals({ spec }: StatefulSet): readonly number[] {
  const start = spec?.ordinals?.start ?? 0;
  return Array.from({ length: spec?.replicas ?? 1 }, (_, index) => start + index);
}

function surplusPods({ set, pods }: StatefulSetFacts): readonly Pod[] {
  const wanted = new Set(ordinals(set));
  const ordinal = (pod: Pod): number => ordinalOf(set, pod) ?? -1;
  return pods.filter((pod) => !wanted.has(ordinal(pod))).sort((a, b) => ordinal(b) - ordinal(a));
}

function firstToGo([first]: readonly Pod[]): readonly Pod[] {
  return first === undefined || isPodTerminating(first) ? [] : [first];
}

// From the highest ordinal down to the partition, no more at once than maxUnavailable.
function planUpdate({ set, pods, updateRevision, now }: StatefulSetFacts): readonly Pod[] {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const total = set.spec?.replicas ?? 1;
  const partition = rollingUpdate?.partition ?? 0;
  const allowed = Math.max(1, resolveIntOrPercent(rollingUpdate?.maxUnavailable, { total, round: 'up', fallback: 1 }));
  const isDown = (pod: Pod): boolean =>
    isPodTerminating(pod) || untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) !== 0;
  const old = pods
    .filter((pod) => revisionOf(pod) !== updateRevision && (ordinalOf(set, pod) ?? -1) >= partition)
    .sort((a, b) => ordinalOf(set, b)! - ordinalOf(set, a)!);
  let room = allowed - pods.filter(isDown).length;
  const remove: Pod[] = [];
  for (const pod of old.filter((candidate) => !isPodTerminating(candidate))) {
    if (!isDown(pod) && room-- <= 0) break;
    remove.push(pod);
  }
  return remove;
}

function revisionFor({ set, currentRevision, updateRevision }: StatefulSetFacts, ordinal: number): string {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {};
  if (type === 'OnDelete') return updateRevision;
  const start = set.spec?.ordinals?.start ?? 0;
  return ordinal < start + (rollingUpdate?.partition ?? 0) ? currentRevision : updateRevision;
}

function nextAvailability({ set, pods, now }: StatefulSetFacts): number | undefined {
  const waits = pods
    .map((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) ?? 0)
    .filter((wait) => wait > 0);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}

/** The status; a finished rolling update makes the new revision the current one. */
export function buildStatefulSetStatus({
  set,
  pods,
  currentRevision,
  updateRevision,
  now,
}: StatefulSetFacts): StatefulSetStatus {
  const count = (test: (pod: Pod) => boolean): number => pods.filter(test).length;
  const isOf =
    (revision: string) =>
    (pod: Pod): boolean =>
      !isPodTerminating(pod) && revisionOf(pod) === revision;
  const counts = {
    replicas: pods.length,
    readyReplicas: count(isPodReady),
    availableReplicas: count((pod) => untilAvailable(pod, set.spec?.minReadySeconds ?? 0, now) === 0),
    updatedReplicas: count(isOf(updateRevision)),
  };
  const done =
    set.spec?.updateStrategy?.type !== 'OnDelete' &&
    counts.updatedReplicas === counts.replicas &&
    counts.readyReplicas === counts.replicas &&
    counts.replicas === (set.spec?.replicas ?? 1);
  return {
    ...counts,
    currentRevision: done ? updateRevision : currentRevision,
    currentReplicas: done ? counts.updatedReplicas : count(isOf(currentRevision)),
    updateRevision,
    observedGeneration: set.metadata?.generation,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}

function revisionOf({ metadata }: Pod): string | undefined {
  return metadata?.labels?.[REVISION_HASH];
}
