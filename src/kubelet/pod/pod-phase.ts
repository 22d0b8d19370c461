import type { Container, ContainerState, ContainerStatus, Pod } from '../../kube/generated/types.ts';
import { isSidecar } from '../container/pod-containers.ts';
import { shouldRestart } from '../container/should-restart.ts';

/** What the phase of a pod depends on. */
export interface PhaseFacts {
  readonly pod: Pod;
  readonly initContainerStatuses: readonly ContainerStatus[];
  readonly containerStatuses: readonly ContainerStatus[];
  readonly hasInitialized: boolean;
  readonly isTerminal: boolean;
}

/** The phases that the kubelet sets. */
export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

interface Tally {
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  succeeded: number;
  /** Ended and to be started again. */
  restarting: number;
  unstartedSidecars: number;
}

/** The phase of a pod from its containers, as the kubelet finds it (getPhase in pkg/kubelet/kubelet_pods.go). */
export function podPhase(facts: PhaseFacts): PodPhase {
  const init = initProgress(facts);
  if (init === 'failed') return 'Failed';
  const tally: Tally = {
    unknown: 0,
    running: 0,
    waiting: 0,
    stopped: 0,
    succeeded: 0,
    restarting: 0,
    unstartedSidecars: 0,
  };
  countSidecars(facts, tally);
  countRegular(facts, tally);
  const isInitializing = init === 'pending' || (tally.unstartedSidecars > 0 && !facts.hasInitialized);
  if (isInitializing || tally.waiting > 0 || tally.unknown > 0) return 'Pending';
  if (tally.running > 0) return 'Running';
  if (tally.stopped === 0) return 'Pending';
  if (tally.restarting > 0 && !facts.isTerminal) return 'Running';
  return tally.stopped === tally.succeeded ? 'Succeeded' : 'Failed';
}

function initProgress({ pod, initContainerStatuses }: PhaseFacts): 'pending' | 'failed' | 'done' {
  let isPending = false;
  for (const spec of pod.spec?.initContainers ?? []) {
    if (isSidecar(spec)) continue;
    const status = find(initContainerStatuses, spec);
    const exitCode = latestExit(status?.state, status?.lastState);
    if (exitCode === undefined) isPending = true;
    else if (exitCode !== 0 && !shouldRestart(pod, { kind: 'init', spec }, exitCode)) return 'failed';
  }
  return isPending ? 'pending' : 'done';
}

// Of a running container nothing is known yet; a waiting one counts by how it ended before.
function latestExit(state: ContainerState | undefined, lastState: ContainerState | undefined): number | undefined {
  if (state?.running) return undefined;
  return (state?.terminated ?? lastState?.terminated)?.exitCode;
}

function countSidecars({ pod, initContainerStatuses }: PhaseFacts, tally: Tally): void {
  for (const spec of (pod.spec?.initContainers ?? []).filter(isSidecar)) {
    const status = find(initContainerStatuses, spec);
    if (status?.state === undefined) tally.unknown++;
    else if (status.state.running) {
      tally.running++;
      if (!status.started) tally.unstartedSidecars++;
    } else if (status.state.waiting && !status.lastState?.terminated) {
      tally.unstartedSidecars++;
      tally.waiting++;
    }
  }
}

function countRegular({ pod, containerStatuses }: PhaseFacts, tally: Tally): void {
  for (const spec of pod.spec?.containers ?? []) {
    const status = find(containerStatuses, spec);
    const exitCode = latestExit(status?.state, status?.lastState);
    if (status?.state === undefined) tally.unknown++;
    else if (status.state.running) tally.running++;
    else if (exitCode === undefined) tally.waiting++;
    else {
      tally.stopped++;
      if (shouldRestart(pod, { kind: 'regular', spec }, exitCode)) tally.restarting++;
      if (status.state.terminated?.exitCode === 0) tally.succeeded++;
    }
  }
}

function find(statuses: readonly ContainerStatus[], { name }: Container): ContainerStatus | undefined {
  return statuses.find((status) => status.name === name);
}
