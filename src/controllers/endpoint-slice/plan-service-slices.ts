import type { Endpoint, EndpointSlice, Node, Service } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { addressTypesOf, desiredEndpoints, type EndpointFacts, type EndpointGroup } from './desired-endpoints.ts';
import { planSlices, type SlicePlan } from './plan-slices.ts';
import {
  ENDPOINT_SLICE_CONTROLLER,
  HEADLESS,
  MANAGED_BY,
  SERVICE_NAME,
  withoutReservedLabels,
} from './slice-labels.ts';
import { chooseTopologyHints, wantsTopologyHints } from './topology-hints.ts';
import { withTrafficHints } from './traffic-hints.ts';

export interface ServiceSliceOptions {
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number;
  readonly triggerTime?: string | undefined;
  /** All nodes: asked for only when the Service wants topology aware routing. */
  readonly nodes?: () => readonly Node[];
  /** Told for each address type whether such routing is possible (undefined) or why not. */
  readonly onTopology?: (addressType: string, problem: string | undefined) => void;
}

/** The writes that bring a Service's slices to what its pods say. `existing`: those that this controller made for its name. */
export function planServiceSlices(
  facts: EndpointFacts,
  existing: readonly EndpointSlice[],
  options: ServiceSliceOptions = {},
): SlicePlan {
  const { service } = facts;
  const { maxEndpointsPerSlice = 100, triggerTime } = options;
  const groupsOf = (type: string): readonly EndpointGroup[] => withHints(facts, type, options);
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

function withHints(facts: EndpointFacts, type: string, options: ServiceSliceOptions): readonly EndpointGroup[] {
  const { service } = facts;
  const groups = desiredEndpoints(facts, type);
  const map = (change: (endpoints: readonly Endpoint[]) => readonly Endpoint[]): readonly EndpointGroup[] =>
    groups.map((group) => ({ ...group, endpoints: change(group.endpoints) }));
  if (!wantsTopologyHints(service)) return map((endpoints) => withTrafficHints(service, endpoints));
  const all = groups.flatMap(({ endpoints }) => endpoints);
  const hints = chooseTopologyHints(all, options.nodes?.() ?? []);
  options.onTopology?.(type, 'problem' in hints ? hints.problem : undefined);
  return 'problem' in hints
    ? groups
    : map((endpoints) => endpoints.map((endpoint) => withZone(endpoint, hints.zoneOf(endpoint))));
}

function withZone(endpoint: Endpoint, name: string | undefined): Endpoint {
  return name === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name }] } };
}

function labelsOf({ metadata, spec }: Service): Readonly<Record<string, string>> {
  return {
    ...withoutReservedLabels(metadata?.labels),
    ...(!spec?.clusterIP || spec.clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
    [SERVICE_NAME]: metadata?.name ?? '',
    [MANAGED_BY]: ENDPOINT_SLICE_CONTROLLER,
  };
}
