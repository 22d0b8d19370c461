import type { Tier } from '../../kernel/tier.ts';
import { invalidObject } from '../../kube/field-error.ts';
import { resources } from '../../kube/resources.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';

/** Refuses Services whose traffic is to stay on a node: one kube-proxy serves all nodes of this tier and sees one node only. */
export function refuseLocalPolicies(allocator: ServiceAllocator, tier: Tier): ServiceAllocator {
  return {
    ...allocator,
    allocate: (allocation) => {
      const { service } = allocation;
      const fields = ['externalTrafficPolicy', 'internalTrafficPolicy'] as const;
      const local = fields.filter((field) => service.spec?.[field] === 'Local');
      if (local.length === 0) return allocator.allocate(allocation);
      const detail = `Local needs a kube-proxy for each node, and the ${tier} tier has one for all (see towtank doctor)`;
      throw invalidObject(
        resources.services,
        service,
        local.map((field) => ({ type: 'Forbidden', field: `spec.${field}`, detail })),
      );
    },
  };
}
