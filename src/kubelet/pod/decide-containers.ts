import type { Pod } from '../../kube/generated/types.ts';
import type { ContainerKind, PodContainer } from '../container/pod-containers.ts';
import { shouldRestart } from '../container/should-restart.ts';

/** What the decision needs to know of a container; a ContainerRecord is one. */
export interface ContainerView {
  readonly container: PodContainer;
  readonly running: unknown;
  readonly started: boolean;
  /** How its last run ended; undefined while it runs and before its first run. */
  readonly exitCode: number | undefined;
}

/** What to do next with the containers of a pod. */
export interface Decision<T extends ContainerView> {
  /** To be started in this order, back-off permitting. */
  readonly start: readonly T[];
  /** `finished` when no regular container will run again: sidecars stop and the pod ends. */
  readonly progress: 'initializing' | 'running' | 'finished';
}

/**
 * Decides which containers are to be started now, as the kubelet's computePodActions: init containers one after the other,
 * a sidecar only until it has started, then all regular ones. `hasInitialized` says that regular containers ran before.
 */
export function decideContainers<T extends ContainerView>(
  pod: Pod,
  views: readonly T[],
  hasInitialized: boolean,
): Decision<T> {
  const of = (kind: ContainerKind): readonly T[] => views.filter(({ container }) => container.kind === kind);
  const ephemeral = of('ephemeral').filter((view) => isIdle(view) && view.exitCode === undefined);
  const regular = of('regular');
  if (regular.every((view) => isOver(pod, view))) return { start: [], progress: 'finished' };
  const sidecars = of('sidecar').filter((view) => needsRun(pod, view));
  if (!hasInitialized) {
    const step = nextInitStep(pod, views);
    if (step === 'failed') return { start: [], progress: 'finished' };
    if (step !== 'done') return { start: [...restarted(sidecars), ...step, ...ephemeral], progress: 'initializing' };
  }
  const due = regular.filter((view) => needsRun(pod, view));
  return { start: [...sidecars, ...due, ...ephemeral], progress: 'running' };
}

function nextInitStep<T extends ContainerView>(pod: Pod, views: readonly T[]): 'done' | 'failed' | readonly T[] {
  for (const view of views) {
    const { kind } = view.container;
    if (kind === 'sidecar') {
      if (view.running !== undefined && view.started) continue;
      return view.running === undefined && view.exitCode === undefined ? [view] : [];
    }
    if (kind !== 'init' || (isIdle(view) && view.exitCode === 0)) continue;
    if (!isIdle(view)) return [];
    return isOver(pod, view) ? 'failed' : [view];
  }
  return 'done';
}

const isIdle = (view: ContainerView): boolean => view.running === undefined;

function restarted<T extends ContainerView>(sidecars: readonly T[]): readonly T[] {
  return sidecars.filter(({ exitCode }) => exitCode !== undefined);
}

function needsRun(pod: Pod, view: ContainerView): boolean {
  return isIdle(view) && !isOver(pod, view);
}

/** True when it has ended and will not be started again. */
function isOver(pod: Pod, view: ContainerView): boolean {
  return isIdle(view) && view.exitCode !== undefined && !shouldRestart(pod, view.container, view.exitCode);
}
