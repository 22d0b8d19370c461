import { type FieldError, invalidObject } from '../../kube/field-error.ts';
import type { Service } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import type { ServiceAllocator } from '../../kube/service-allocator.ts';

/** An allocator that finds Services Invalid for what a tier cannot carry: what `problemsOf` tells. */
export function refuseServices(
  allocator: ServiceAllocator,
  problemsOf: (service: Service) => readonly FieldError[],
): ServiceAllocator {
  return {
    ...allocator,
    allocate: (allocation) => {
      const problems = problemsOf(allocation.service);
      if (problems.length > 0) throw invalidObject(resources.services, allocation.service, problems);
      return allocator.allocate(allocation);
    },
  };
}
