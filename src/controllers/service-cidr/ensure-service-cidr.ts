import type { KubeClient } from '../../kube/client.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';
import { timestampOf } from '../../kube/timestamp.ts';

/** Creates the ServiceCIDR `kubernetes`, which tells the cluster's ranges to those who ask, unless it is there. */
export async function ensureServiceCIDR(client: KubeClient, cidrs: readonly string[], now: number): Promise<void> {
  const type = resources.serviceCIDRs;
  try {
    const created = await client.create(type, { metadata: { name: 'kubernetes' }, spec: { cidrs } });
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: '',
      message: 'Kubernetes default Service CIDR is ready',
      lastTransitionTime: timestampOf(now),
    };
    await client.update(type, { ...created, status: { conditions: [ready] } }, { subresource: 'status' });
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
}
