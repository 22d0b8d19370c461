import type { KubeClient } from '../../kube/client.ts';
import type { Pod } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';

/** Which pod. */
export interface PodKey {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Says of all pods of a cluster that was down that they are not ready, as the node controller does for nodes that are gone:
 * their addresses leave the endpoints before anybody is sent there. Resolves with those that will be ready again.
 */
export async function markPodsNotReady(client: KubeClient): Promise<readonly PodKey[]> {
  const { items } = await client.list(resources.pods);
  const ready = items.filter(isReady);
  await Promise.all(ready.map((pod) => client.update(resources.pods, notReady(pod), { subresource: 'status' })));
  return ready
    .filter(({ spec }) => spec?.restartPolicy === 'Always')
    .map(({ metadata }) => ({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' }));
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

function notReady(pod: Pod): Pod {
  const conditions = pod.status?.conditions?.map((condition) =>
    condition.type === 'Ready' ? { ...condition, status: 'False' as const } : condition,
  );
  return { ...pod, status: { ...pod.status, conditions } } as Pod;
}
