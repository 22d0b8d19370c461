import type { ContainerStatus, Pod, PodCondition, PodStatus } from '../../kube/generated/types.ts';
import { isSidecar } from '../container/pod-containers.ts';
import { podPhase } from './pod-phase.ts';
import { qosClass } from './qos-class.ts';

/** What the kubelet knows of a pod at one moment. */
export interface PodObservation {
  readonly pod: Pod;
  readonly initContainerStatuses: readonly ContainerStatus[];
  readonly containerStatuses: readonly ContainerStatus[];
  readonly ephemeralContainerStatuses: readonly ContainerStatus[];
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** The pod's network namespace and files exist. */
  readonly hasSandbox: boolean;
  /** A regular container has run at least once. */
  readonly hasInitialized: boolean;
  /** Nothing will run any more: the pod is being deleted or has failed for good. */
  readonly isTerminal: boolean;
  /** RFC 3339 time at which the kubelet took the pod on. */
  readonly startTime: string;
  /** Overrides the phase that follows from the containers (DeadlineExceeded, Evicted). */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

/** The status of a pod as kubectl expects it; `now` (RFC 3339) stamps the conditions that changed against `previous`. */
export function buildPodStatus(observed: PodObservation, previous: PodStatus | undefined, now: string): PodStatus {
  const { pod, failure } = observed;
  const phase = stickyPhase(failure ? 'Failed' : podPhase(observed), previous?.phase);
  const conditions = buildConditions(observed, phase).map((condition) => stamp(condition, previous, { pod, now }));
  const { podIPs, hostIPs, initContainerStatuses, ephemeralContainerStatuses } = observed;
  const generation = pod.metadata?.generation;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions,
    ...(failure ?? {}),
    ...(hostIPs[0] === undefined ? {} : { hostIP: hostIPs[0], hostIPs: hostIPs.map((ip) => ({ ip })) }),
    ...(podIPs[0] === undefined ? {} : { podIP: podIPs[0], podIPs: podIPs.map((ip) => ({ ip })) }),
    startTime: observed.startTime,
    ...(initContainerStatuses.length > 0 ? { initContainerStatuses } : {}),
    containerStatuses: observed.containerStatuses,
    ...(ephemeralContainerStatuses.length > 0 ? { ephemeralContainerStatuses } : {}),
    qosClass: qosClass(pod),
  };
}

type Condition = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

const isTrue = (type: string): Condition => ({ type, status: 'True' });
const isFalse = (type: string, reason: string, message?: string): Condition => ({
  type,
  status: 'False',
  reason,
  ...(message === undefined ? {} : { message }),
});

function buildConditions(observed: PodObservation, phase: string): readonly Condition[] {
  const containersReady = containersReadyCondition(observed, phase);
  return [
    observed.hasSandbox ? isTrue('PodReadyToStartContainers') : { type: 'PodReadyToStartContainers', status: 'False' },
    initializedCondition(observed, phase),
    readyCondition(observed.pod, containersReady),
    containersReady,
    isTrue('PodScheduled'),
  ];
}

function initializedCondition(
  { pod, initContainerStatuses, hasInitialized }: PodObservation,
  phase: string,
): Condition {
  if (phase === 'Succeeded') return { type: 'Initialized', status: 'True', reason: 'PodCompleted' };
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const incomplete = initContainerStatuses.filter(({ name, started, state }) =>
    sidecars.has(name) ? !(started || hasInitialized) : state?.terminated?.exitCode !== 0,
  );
  if (incomplete.length === 0 || (hasInitialized && phase === 'Running')) return isTrue('Initialized');
  const names = incomplete.map(({ name }) => name).join(' ');
  return isFalse('Initialized', 'ContainersNotInitialized', `containers with incomplete status: [${names}]`);
}

function containersReadyCondition(observed: PodObservation, phase: string): Condition {
  if (phase === 'Succeeded') return isFalse('ContainersReady', 'PodCompleted');
  if (phase === 'Failed') return isFalse('ContainersReady', 'PodFailed');
  const sidecars = new Set((observed.pod.spec?.initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const counted = [
    ...observed.initContainerStatuses.filter(({ name }) => sidecars.has(name)),
    ...observed.containerStatuses,
  ];
  const unready = counted.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return isTrue('ContainersReady');
  return isFalse('ContainersReady', 'ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`);
}

function readyCondition(pod: Pod, containersReady: Condition): Condition {
  if (containersReady.status !== 'True') return { ...containersReady, type: 'Ready' };
  const unmet = (pod.spec?.readinessGates ?? []).flatMap(({ conditionType }) => {
    const condition = pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (condition === undefined)
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    if (condition.status === 'True') return [];
    return [`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`];
  });
  return unmet.length === 0 ? isTrue('Ready') : isFalse('Ready', 'ReadinessGatesNotReady', unmet.join(', '));
}

function stamp(
  condition: Condition,
  previous: PodStatus | undefined,
  { pod, now }: { readonly pod: Pod; readonly now: string },
): PodCondition {
  const old = previous?.conditions?.find(({ type }) => type === condition.type);
  const generation = pod.metadata?.generation;
  return {
    type: condition.type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: condition.status,
    lastTransitionTime: old?.status === condition.status ? (old.lastTransitionTime ?? now) : now,
    ...(condition.reason === undefined ? {} : { reason: condition.reason }),
    ...(condition.message === undefined ? {} : { message: condition.message }),
  };
}

// A pod that has ended stays ended, whatever its containers look like afterwards.
function stickyPhase(phase: string, previous: string | undefined): string {
  return previous === 'Succeeded' || previous === 'Failed' ? previous : phase;
}
