import type {
  Container,
  CronJob,
  DaemonSet,
  Deployment,
  HorizontalPodAutoscalerV2,
  Job,
  LabelSelector,
  PodDisruptionBudget,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../kube/generated/types.ts';
import { labelRequirementsOf, printLabelSelector } from '../../kube/label-selector.ts';
import { defineColumns } from './define-columns.ts';
import { age, humanDuration } from './human-duration.ts';
import { formatMetrics } from './metric-targets.ts';

const WIDE = ['+Containers', '+Images', '+Selector'] as const;

/** `a=b,c in (d,e)`, `<none>` when it is absent or empty. */
export function selectorText(selector: LabelSelector | undefined): string {
  return selector === undefined ? '<none>' : printLabelSelector(labelRequirementsOf(selector)) || '<none>';
}

/** `a=b,c=d`, sorted; `<none>` when there are none. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.sort().join(',') || '<none>';
}

function containerCells(containers: readonly Container[] | undefined): [string, string] {
  const list = containers ?? [];
  return [list.map(({ name }) => name).join(','), list.map(({ image }) => image ?? '').join(',')];
}

export const deploymentColumns = defineColumns<Deployment>(
  ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', ...WIDE],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.template.spec?.containers),
    selectorText(spec?.selector),
  ],
);

export const replicaSetColumns = defineColumns<ReplicaSet>(
  ['Name', 'Desired:integer', 'Current:integer', 'Ready:integer', 'Age', ...WIDE],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.template?.spec?.containers),
    selectorText(spec?.selector),
  ],
);

export const replicationControllerColumns = defineColumns<ReplicationController>(
  ['Name', 'Desired:integer', 'Current:integer', 'Ready:integer', 'Age', ...WIDE],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.template?.spec?.containers),
    labelsText(spec?.selector),
  ],
);

export const statefulSetColumns = defineColumns<StatefulSet>(
  ['Name', 'Ready', 'Age', '+Containers', '+Images'],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.template.spec?.containers),
  ],
);

export const daemonSetColumns = defineColumns<DaemonSet>(
  [
    'Name',
    'Desired:integer',
    'Current:integer',
    'Ready:integer',
    'Up-to-date:integer',
    'Available:integer',
    'Node Selector',
    'Age',
    ...WIDE,
  ],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec?.template.spec?.nodeSelector),
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.template.spec?.containers),
    selectorText(spec?.selector),
  ],
);

export const jobColumns = defineColumns<Job>(
  ['Name', 'Status', 'Completions', 'Duration', 'Age', ...WIDE],
  (job, now) => [
    job.metadata?.name,
    jobStatus(job),
    jobCompletions(job),
    jobDuration(job, now),
    age(job.metadata?.creationTimestamp, now),
    ...containerCells(job.spec?.template.spec?.containers),
    selectorText(job.spec?.selector),
  ],
);

function jobStatus({ status, metadata }: Job): string {
  const has = (type: string): boolean =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata?.deletionTimestamp !== undefined) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  return ['FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function jobCompletions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: Job, now: number): string {
  if (status?.startTime === undefined) return '';
  const end = status.completionTime === undefined ? now : Date.parse(status.completionTime);
  return humanDuration(end - Date.parse(status.startTime));
}

export const cronJobColumns = defineColumns<CronJob>(
  ['Name', 'Schedule', 'Timezone', 'Suspend:boolean', 'Active:integer', 'Last Schedule', 'Age', ...WIDE],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    spec?.schedule,
    spec?.timeZone ?? '<none>',
    spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False',
    status?.active?.length ?? 0,
    status?.lastScheduleTime === undefined ? '<none>' : age(status.lastScheduleTime, now),
    age(metadata?.creationTimestamp, now),
    ...containerCells(spec?.jobTemplate.spec?.template.spec?.containers),
    selectorText(spec?.jobTemplate.spec?.selector),
  ],
);

export const podTemplateColumns = defineColumns<PodTemplate>(
  ['Name', 'Containers', 'Images', 'Pod Labels'],
  ({ metadata, template }) => [
    metadata?.name,
    ...containerCells(template?.spec?.containers),
    labelsText(template?.metadata?.labels),
  ],
);

export const podDisruptionBudgetColumns = defineColumns<PodDisruptionBudget>(
  ['Name', 'Min Available', 'Max Unavailable', 'Allowed Disruptions:integer', 'Age'],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    String(spec?.minAvailable ?? 'N/A'),
    String(spec?.maxUnavailable ?? 'N/A'),
    status?.disruptionsAllowed ?? 0,
    age(metadata?.creationTimestamp, now),
  ],
);

export const horizontalPodAutoscalerColumns = defineColumns<HorizontalPodAutoscalerV2>(
  ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
  ({ metadata, spec, status }, now) => [
    metadata?.name,
    `${spec?.scaleTargetRef.kind}/${spec?.scaleTargetRef.name}`,
    formatMetrics(spec?.metrics ?? [], status?.currentMetrics ?? []),
    String(spec?.minReplicas ?? '<unset>'),
    spec?.maxReplicas ?? 0,
    status?.currentReplicas ?? 0,
    age(metadata?.creationTimestamp, now),
  ],
);
