import type { DeleteOptions, Eviction, Pod, PodDisruptionBudget } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { type ResourceType, resources } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { deleteObject } from '../machinery/delete-object.ts';
import { badRequest, notFound } from '../machinery/errors.ts';
import { type Machinery, type RequestContext, timestamp } from '../machinery/machinery.ts';
import type { ServedResource } from '../machinery/served-resource.ts';
import { updateObject } from '../machinery/update-object.ts';

const MAX_DISRUPTED = 2000;

const budgets: ResourceType<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  resource: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

export interface EvictionRequest {
  readonly pods: ServedResource;
  readonly namespace: string;
  readonly name: string;
  readonly eviction: Eviction;
  readonly context: RequestContext;
}

/** Deletes a pod unless a PodDisruptionBudget forbids it (429 TooManyRequests). */
export async function evictPod(machinery: Machinery, request: EvictionRequest): Promise<void> {
  const { pods, namespace, name, eviction, context } = request;
  const given = eviction.metadata?.name ?? '';
  if (given !== '' && given !== name) throw badRequest('name in URL does not match name in Eviction object');
  const pod = machinery.reader.get(resources.pods, { namespace, name });
  if (!pod) throw notFound(pods.type, name);
  if (!canIgnoreBudget(pod)) await spendBudget(machinery, pod, context);
  const options: DeleteOptions = eviction.deleteOptions ?? {};
  await deleteObject(machinery, { resource: pods, namespace, name, options, context });
}

function canIgnoreBudget({ status, metadata }: Pod): boolean {
  const phase = status?.phase;
  return (
    phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || metadata?.deletionTimestamp !== undefined
  );
}

async function spendBudget(machinery: Machinery, pod: Pod, context: RequestContext): Promise<void> {
  const { namespace, labels } = pod.metadata ?? {};
  const covering = machinery.reader
    .list(budgets, namespace)
    .filter(({ spec }) => matchesLabelSelector(spec?.selector, labels));
  if (covering.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new ApiStatusError('InternalError', message);
  }
  const [budget] = covering;
  if (!budget) return;
  const ready = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  const healthy = budget.status?.currentHealthy ?? 0;
  const policy = budget.spec?.unhealthyPodEvictionPolicy;
  if (!ready && (policy === 'AlwaysAllow' || (healthy >= (budget.status?.desiredHealthy ?? 0) && healthy > 0))) return;
  await recordDisruption(machinery, budget, pod, context);
}

async function recordDisruption(
  machinery: Machinery,
  budget: PodDisruptionBudget,
  pod: Pod,
  context: RequestContext,
): Promise<void> {
  const resource = machinery.registry.find(budgets.group, budgets.version, budgets.resource)!;
  const { namespace, name = '' } = budget.metadata ?? {};
  await updateObject(machinery, {
    resource,
    subresource: 'status',
    namespace,
    name,
    context,
    want: (live) => ({
      object: disrupted(live as PodDisruptionBudget, pod, timestamp(machinery.clock)),
      tracked: false,
    }),
  });
}

function disrupted(budget: PodDisruptionBudget, pod: Pod, now: string): PodDisruptionBudget {
  const { status, metadata } = budget;
  const observed = status?.observedGeneration ?? 0;
  if (observed < (metadata?.generation ?? 0))
    throw refused(`The disruption budget ${metadata?.name} is still being processed by the server.`, metadata?.name);
  const allowed = status?.disruptionsAllowed ?? 0;
  const disruptedPods = status?.disruptedPods ?? {};
  if (Object.keys(disruptedPods).length > MAX_DISRUPTED)
    throw refused('DisruptedPods map too big - too many evictions not confirmed by PDB controller', metadata?.name);
  if (allowed <= 0) {
    const text = `The disruption budget ${metadata?.name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`;
    throw refused(text, metadata?.name);
  }
  return {
    ...budget,
    status: {
      ...status!,
      disruptionsAllowed: allowed - 1,
      disruptedPods: { ...disruptedPods, [pod.metadata?.name ?? '']: now },
    },
  };
}

function refused(text: string, name: string | undefined): ApiStatusError {
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  const cause = { reason: 'DisruptionBudget', message: text };
  return new ApiStatusError('TooManyRequests', message, { name, causes: [cause] });
}
