import type { Service } from '../../kube/generated/types.ts';
import type { ServiceAllocator, ServiceClaim } from '../../kube/service-allocator.ts';
import type { Store } from '../../store/store.ts';
import { withFields } from '../machinery/api-object.ts';
import { claimKey } from '../machinery/commit-write.ts';
import type { Strategy } from '../machinery/strategy.ts';
import type { AdmitsLoopback } from '../validation/addresses.ts';
import { dns1123Label } from '../validation/names.ts';
import { serviceWarnings, validateService, validateServiceStatus } from '../validation/service.ts';
import { defineStrategy, keepStatus, statusUpdate } from './define-strategy.ts';

/** Services; addresses and ports come from the allocator, which sees what the store holds. */
export function serviceStrategy(
  allocator: ServiceAllocator,
  store: Store,
  admits: AdmitsLoopback | undefined,
): Strategy {
  const isFree = (claim: ServiceClaim): boolean => store.get(claimKey(claim)) === undefined;
  return defineStrategy<Service>({
    name: dns1123Label,
    returnsDeleted: true,
    createOnUpdate: true,
    create: (service) =>
      allocator.allocate({
        service: withFields(service, { status: { loadBalancer: {} } }),
        previous: undefined,
        isFree,
      }),
    validate: (service) => validateService(service, undefined, admits),
    warnings: serviceWarnings,
    update: {
      prepare: (service, live) => allocator.allocate({ service: keepStatus(service, live), previous: live, isFree }),
      validate: (service, live) => validateService(service, live, admits),
      warnings: serviceWarnings,
    },
    subresources: { status: { ...statusUpdate(), validate: validateServiceStatus } },
    claims: (service) => allocator.claims(service),
    selectableFields: {
      'spec.clusterIP': ({ spec }) => spec?.clusterIP ?? '',
      'spec.type': ({ spec }) => spec?.type ?? '',
    },
  });
}
