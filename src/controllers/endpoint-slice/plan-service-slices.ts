import type { EndpointSlice, Service } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { addressTypesOf, desiredEndpoints, type EndpointFacts } from './desired-endpoints.ts';
import { planSlices, type SlicePlan } from './plan-slices.ts';
import {
  ENDPOINT_SLICE_CONTROLLER,
  HEADLESS,
  MANAGED_BY,
  SERVICE_NAME,
  withoutReservedLabels,
} from './slice-labels.ts';
import { withTrafficHints } from './traffic-hints.ts';

export interface ServiceSliceOptions {
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number;
  readonly triggerTime?: string | undefined;
}

/** The writes that bring a Service's slices to what its pods say. `existing`: those that this controller made for its name. */
export function planServiceSlices(
  facts: EndpointFacts,
  existing: readonly EndpointSlice[],
  { maxEndpointsPerSlice = 100, triggerTime }: ServiceSliceOptions = {},
): SlicePlan {
  const { service } = facts;
  const groupsOf = (type: string) =>
    desiredEndpoints(facts, type).map((group) => ({ ...group, endpoints: withTrafficHints(service, group.endpoints) }));
  const plan = planSlices(
    {
      owner: controllerReferenceTo(resources.services, service),
      namespace: service.metadata?.namespace,
      labels: labelsOf(service),
      groups: new Map(addressTypesOf(service).map((type) => [type, groupsOf(type)])),
      placeholder: true,
      maxEndpointsPerSlice,
      triggerTime,
    },
    existing,
  );
  // Nothing new while the Service goes: the garbage collector would race with it.
  return service.metadata?.deletionTimestamp === undefined ? plan : { ...plan, create: [] };
}

function labelsOf({ metadata, spec }: Service): Readonly<Record<string, string>> {
  return {
    ...withoutReservedLabels(metadata?.labels),
    ...(!spec?.clusterIP || spec.clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
    [SERVICE_NAME]: metadata?.name ?? '',
    [MANAGED_BY]: ENDPOINT_SLICE_CONTROLLER,
  };
}
