import type { Container, ContainerState, ContainerStatus, Pod } from '../../kube/generated/types.ts';
import { defineColumns } from './define-columns.ts';
import { age, humanDuration } from './human-duration.ts';

export const podColumns = defineColumns<Pod>(
  ['Name', 'Ready', 'Status', 'Restarts', 'Age', '+IP', '+Node', '+Nominated Node', '+Readiness Gates'],
  (pod, now) => {
    const { metadata, spec, status } = pod;
    const { ready, total, reason, restarts, lastRestart } = summarizePod(pod);
    const ago = restarts > 0 && lastRestart > 0 ? ` (${humanDuration(now - lastRestart)} ago)` : '';
    return [
      metadata?.name,
      `${ready}/${total}`,
      reason,
      `${restarts}${ago}`,
      age(metadata?.creationTimestamp, now),
      status?.podIPs?.[0]?.ip || '<none>',
      spec?.nodeName || '<none>',
      status?.nominatedNodeName || '<none>',
      readinessGates(pod),
    ];
  },
);

interface PodSummary {
  readonly ready: number;
  readonly total: number;
  readonly reason: string;
  readonly restarts: number;
  /** Milliseconds since the epoch, 0 for never. */
  readonly lastRestart: number;
}

interface Restarts {
  readonly restarts: number;
  readonly lastRestart: number;
}

/** What the columns Ready, Status and Restarts tell of a pod. */
function summarizePod(pod: Pod): PodSummary {
  const { spec, status, metadata } = pod;
  const sidecars = (spec?.initContainers ?? []).filter(isSidecar);
  const total = (spec?.containers.length ?? 0) + sidecars.length;
  const init = summarizeInit(pod);
  const initialized = status?.conditions?.some(({ type, status: is }) => type === 'Initialized' && is === 'True');
  const gated = status?.conditions?.some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated');
  const phase = gated ? 'SchedulingGated' : status?.reason || status?.phase || '';
  const names = new Set(sidecars.map(({ name }) => name));
  const initStatuses = status?.initContainerStatuses ?? [];
  let summary: PodSummary;
  if (init.reason !== undefined && !initialized) {
    summary = { ready: init.ready, total, reason: init.reason, ...countRestarts(initStatuses) };
  } else {
    const statuses = status?.containerStatuses ?? [];
    const counted = [...initStatuses.filter(({ name }) => names.has(name)), ...statuses];
    const ready = init.ready + statuses.filter(isReady).length;
    const reason = mainReason(pod, statuses, init.reason ?? phase);
    summary = { ready, total, reason, ...countRestarts(counted) };
  }
  if (metadata?.deletionTimestamp === undefined) return summary;
  if (status?.reason === 'NodeLost') return { ...summary, reason: 'Unknown' };
  const terminal = status?.phase === 'Failed' || status?.phase === 'Succeeded';
  return terminal ? summary : { ...summary, reason: 'Terminating' };
}

function summarizeInit({ spec, status }: Pod): { readonly ready: number; readonly reason: string | undefined } {
  const containers = new Map((spec?.initContainers ?? []).map((container) => [container.name, container]));
  let ready = 0;
  for (const [i, container] of (status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(containers.get(container.name)) && container.started === true) {
      if (container.ready) ready++;
      continue;
    }
    if (terminated) return { ready, reason: `Init:${terminatedReason(terminated)}` };
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return { ready, reason: `Init:${waiting.reason}` };
    return { ready, reason: `Init:${i}/${containers.size}` };
  }
  return { ready, reason: undefined };
}

// The first container that is not simply running gives the reason; a pod with one still running is not Completed.
function mainReason(pod: Pod, statuses: readonly ContainerStatus[], phase: string): string {
  let reason = phase;
  let failure = '';
  let running = false;
  for (const container of [...statuses].reverse()) {
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) {
      reason = terminatedReason(terminated);
      if (terminated.exitCode !== 0) failure = reason;
    } else if (isReady(container)) running = true;
  }
  if (reason !== 'Completed') return reason;
  const ready = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (running && ready) return 'Running';
  return failure || (running ? 'NotReady' : reason);
}

function terminatedReason({ reason, signal, exitCode }: NonNullable<ContainerState['terminated']>): string {
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
}

function isReady({ ready, state }: ContainerStatus): boolean {
  return ready === true && state?.running !== undefined;
}

function isSidecar(container: Container | undefined): boolean {
  return container?.restartPolicy === 'Always';
}

function countRestarts(statuses: readonly ContainerStatus[]): Restarts {
  const times = statuses.map(({ lastState }) => Date.parse(lastState?.terminated?.finishedAt ?? '') || 0);
  const restarts = statuses.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
  return { restarts, lastRestart: Math.max(0, ...times) };
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter(({ conditionType }) =>
    status?.conditions?.some((condition) => condition.type === conditionType && condition.status === 'True'),
  );
  return `${met.length}/${gates.length}`;
}
