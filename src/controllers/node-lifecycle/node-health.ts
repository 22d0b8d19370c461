import type { Node, NodeCondition, Taint } from '../../kube/generated/types.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { timestampOf } from '../../kube/timestamp.ts';

const REPORTED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** Taints that follow from a condition of the node, by type and status. */
const TAINTS: readonly (readonly [type: string, status: string, key: string, effects: readonly string[]])[] = [
  ['Ready', 'False', 'node.kubernetes.io/not-ready', ['NoSchedule', 'NoExecute']],
  ['Ready', 'Unknown', 'node.kubernetes.io/unreachable', ['NoSchedule', 'NoExecute']],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure', ['NoSchedule']],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure', ['NoSchedule']],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure', ['NoSchedule']],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable', ['NoSchedule']],
];
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const OWN_KEYS = new Set([...TAINTS.map(([, , key]) => key), UNSCHEDULABLE]);

/** Status of the Ready condition; Unknown without one. */
export function readiness({ status }: Node): string {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
}

/** The conditions of a node that has not been heard of: everything its kubelet reports is Unknown. */
export function silentConditions({ status, metadata }: Node, now: number): readonly NodeCondition[] {
  const conditions = status?.conditions ?? [];
  const silent = REPORTED.map((type): NodeCondition => {
    const before = conditions.find((condition) => condition.type === type);
    if (before?.status === 'Unknown') return before;
    const lastTransitionTime = timestampOf(now);
    return before === undefined
      ? {
          type,
          status: 'Unknown',
          reason: 'NodeStatusNeverUpdated',
          message: 'Kubelet never posted node status.',
          lastHeartbeatTime: metadata?.creationTimestamp,
          lastTransitionTime,
        }
      : {
          ...before,
          status: 'Unknown',
          reason: 'NodeStatusUnknown',
          message: 'Kubelet stopped posting node status.',
          lastTransitionTime,
        };
  });
  return [...conditions.filter(({ type }) => !REPORTED.includes(type)), ...silent];
}

export interface TaintOptions {
  /** False while no node at all is ready: then the fault is more likely here than there, and nobody is evicted. */
  readonly evict: boolean;
  readonly now: number;
}

/** The taints that the node should have; undefined when it has them. Taints of others stay. */
export function wantedTaints({ spec, status }: Node, { evict, now }: TaintOptions): readonly Taint[] | undefined {
  const present = spec?.taints ?? [];
  const wanted = TAINTS.flatMap(([type, state, key, effects]) => {
    const holds =
      status?.conditions?.some((condition) => condition.type === type && condition.status === state) ?? false;
    return holds ? effects.filter((effect) => evict || effect !== 'NoExecute').map((effect) => ({ key, effect })) : [];
  });
  if (spec?.unschedulable) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  const kept = present.filter(
    ({ key, effect }) => !OWN_KEYS.has(key) || wanted.some((taint) => taint.key === key && taint.effect === effect),
  );
  const added = wanted.filter(
    ({ key, effect }) => !present.some((taint) => taint.key === key && taint.effect === effect),
  );
  const next = [...kept, ...added.map((taint) => ({ ...taint, timeAdded: timestampOf(now) }))];
  return isSemanticallyEqual(next, present) ? undefined : next;
}
