import type { KubeClient } from '../../kube/client.ts';
import type { Namespace, PriorityClass, ServiceCIDR } from '../../kube/generated/types.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { timestampOf } from '../../kube/timestamp.ts';

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const PRIORITY_CLASSES: readonly PriorityClass[] = [
  priorityClass(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
  priorityClass(
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ),
];

/** Creates what every cluster has from the start, where it is missing: namespaces, priority classes, the first ServiceCIDR. */
export async function ensureBootstrapObjects(
  client: KubeClient,
  serviceCIDRs: readonly string[],
  now: number,
): Promise<void> {
  await Promise.all([
    ...NAMESPACES.map((name) => ensure<Namespace>(client, resources.namespaces, { metadata: { name } })),
    ...PRIORITY_CLASSES.map((object) => ensure(client, resources.priorityClasses, object)),
    ensureServiceCIDR(client, serviceCIDRs, now),
  ]);
}

// The namespaces are there from the first moment, so that nothing that comes with the cluster has to wait for them.
async function ensure<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
): Promise<T | undefined> {
  try {
    return await client.create(type, object);
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return undefined;
    throw error;
  }
}

async function ensureServiceCIDR(client: KubeClient, cidrs: readonly string[], now: number): Promise<void> {
  const created = await ensure<ServiceCIDR>(client, resources.serviceCIDRs, {
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  });
  if (created === undefined) return;
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: timestampOf(now),
  };
  await client.update(
    resources.serviceCIDRs,
    { ...created, status: { conditions: [ready] } },
    { subresource: 'status' },
  );
}

function priorityClass(name: string, value: number, description: string): PriorityClass {
  return { metadata: { name }, value, description, preemptionPolicy: 'PreemptLowerPriority' };
}
