import type { Tier } from '../../kernel/tier.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';
import { refuseServices } from './refuse-services.ts';

const fields = ['externalTrafficPolicy', 'internalTrafficPolicy'] as const;

/** Refuses Services whose traffic is to stay on a node: one kube-proxy serves all nodes of this tier and sees one node only. */
export function refuseLocalPolicies(allocator: ServiceAllocator, tier: Tier): ServiceAllocator {
  const detail = `Local needs a kube-proxy for each node, and the ${tier} tier has one for all (see towtank doctor)`;
  return refuseServices(allocator, ({ spec }) =>
    fields
      .filter((field) => spec?.[field] === 'Local')
      .map((field) => ({ type: 'Forbidden', field: `spec.${field}`, detail })),
  );
}
