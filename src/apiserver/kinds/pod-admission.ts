import type { Pod, PodSpec, PriorityClass, Toleration } from '../../kube/generated/types.ts';
import type { ResourceType } from '../../kube/resources.ts';
import { forbiddenError } from '../machinery/errors.ts';
import type { StrategyContext } from '../machinery/strategy.ts';
import { mountServiceAccount } from './service-account-volume.ts';

const pods = { group: '', resource: 'pods' };

/** Kinds that admission reads and that resources.ts does not name. */
export const priorityClasses: ResourceType<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  resource: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
};

const TOLERATED: readonly string[] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** What the admission plugins ServiceAccount, Priority and DefaultTolerationSeconds fill in for a new pod. */
export function admitPod(pod: Pod, context: StrategyContext): Pod {
  const { spec: given, ...rest } = mountServiceAccount(pod, context);
  const spec = { ...given! };
  const serviceAccountName = spec.serviceAccountName || 'default';
  return {
    ...rest,
    spec: {
      ...spec,
      serviceAccountName,
      serviceAccount: serviceAccountName,
      ...priorityOf(pod, spec, context),
      tolerations: [...(spec.tolerations ?? []), ...defaultTolerations(spec.tolerations ?? [])],
    },
  };
}

function priorityOf(
  pod: Pod,
  spec: PodSpec,
  { reader }: StrategyContext,
): Pick<PodSpec, 'priority' | 'priorityClassName' | 'preemptionPolicy'> {
  const { priorityClassName } = spec;
  const found = priorityClassName
    ? reader.get(priorityClasses, { name: priorityClassName })
    : reader.list(priorityClasses).find(({ globalDefault }) => globalDefault === true);
  if (priorityClassName && !found) {
    throw forbiddenError(pods, pod.metadata?.name ?? '', `no PriorityClass with name ${priorityClassName} was found`);
  }
  const priority = found?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== priority) {
    const text = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`;
    throw forbiddenError(pods, pod.metadata?.name ?? '', text);
  }
  const preemptionPolicy = spec.preemptionPolicy ?? found?.preemptionPolicy ?? 'PreemptLowerPriority';
  return { priority, preemptionPolicy, ...(found ? { priorityClassName: found.metadata?.name } : {}) };
}

function defaultTolerations(given: readonly Toleration[]): Toleration[] {
  return TOLERATED.filter((key) => !given.some((toleration) => tolerates(toleration, key))).map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  }));
}

function tolerates({ key, effect }: Toleration, wanted: string): boolean {
  return (key === wanted || !key) && (effect === 'NoExecute' || !effect);
}
