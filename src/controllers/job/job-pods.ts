import type { Container, Job, Pod } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { buildPodFromTemplate } from '../pods/build-pod.ts';
import { isPodTerminating } from '../pods/pod-facts.ts';

/** A pod with this finalizer has not been counted yet, so it must not vanish. */
export const TRACKING = 'batch.kubernetes.io/job-tracking';
const INDEX = 'batch.kubernetes.io/job-completion-index';

/** True for jobs whose pods each do a part of their own. */
export function isIndexed({ spec }: Job): boolean {
  return spec?.completionMode === 'Indexed';
}

/** The part that a pod of an indexed job does. */
export function indexOf({ metadata }: Pod): number | undefined {
  const index = metadata?.annotations?.[INDEX];
  return index === undefined ? undefined : Number(index);
}

export function isTracked({ metadata }: Pod): boolean {
  return metadata?.finalizers?.includes(TRACKING) ?? false;
}

export function hasSucceeded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded';
}

/** A pod that was deleted before its time has failed, unless only pods that have really ended are to be replaced. */
export function hasFailed({ spec }: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return isPodTerminating(pod) && !hasSucceeded(pod) && spec?.podReplacementPolicy !== 'Failed';
}

/** A pod of the job; `index` for indexed ones. */
export function buildJobPod(job: Job, index: number | undefined): Pod {
  const { name = '', namespace = '', uid = '' } = job.metadata ?? {};
  const labels = {
    'batch.kubernetes.io/controller-uid': uid,
    'controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'job-name': name,
    ...(index === undefined ? {} : { [INDEX]: String(index) }),
  };
  const pod = buildPodFromTemplate({
    template: job.spec?.template ?? {},
    namespace,
    owner: controllerReferenceTo(resources.jobs, job),
    labels,
    finalizers: [TRACKING],
    ...(index === undefined ? {} : { annotations: { [INDEX]: String(index) } }),
  });
  return index === undefined ? pod : withIndex(pod, name, index);
}

function withIndex(pod: Pod, job: string, index: number): Pod {
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } },
  };
  const add = (container: Container): Container =>
    container.env?.some(({ name }) => name === variable.name)
      ? container
      : { ...container, env: [...(container.env ?? []), variable] };
  const spec = { ...pod.spec!, hostname: `${job}-${index}`, containers: pod.spec!.containers.map(add) };
  return { ...pod, metadata: { ...pod.metadata, generateName: `${job}-${index}-` }, spec };
}

/** Prints indexes as a status shows them: `0-2,5`. */
export function printIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const index of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges
    .map(([first, last]) =>
      first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
}

/** Reads what printIndexes wrote. */
export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const range of (text ?? '').split(',').filter((part) => part !== '')) {
    const [first = 0, last = first] = range.split('-').map(Number);
    for (let index = first; index <= last; index++) indexes.add(index);
  }
  return indexes;
}
