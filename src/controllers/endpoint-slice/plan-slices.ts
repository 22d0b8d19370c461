import type {
  Endpoint,
  EndpointSlice,
  EndpointSlicePort,
  OwnerReference,
  Service,
} from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { generateNameFor } from '../pods/build-pod.ts';
import { addressTypesOf, desiredEndpoints, type EndpointFacts, portsKey } from './desired-endpoints.ts';
import { fillSlices } from './fill-slices.ts';
import { withTrafficHints } from './traffic-hints.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const HEADLESS = 'service.kubernetes.io/headless';
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
export const ENDPOINT_SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

export interface SlicePlanOptions {
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number;
  /** Value of the trigger time annotation of what is written; none removes the annotation. */
  readonly triggerTime?: string | undefined;
}

/** The writes that bring a Service's slices to what its pods say. `existing`: those that this controller made for it. */
export function planEndpointSlices(
  facts: EndpointFacts,
  existing: readonly EndpointSlice[],
  options: SlicePlanOptions = {},
): SlicePlan {
  const { service } = facts;
  const types = addressTypesOf(service);
  const isMine = (slice: EndpointSlice): boolean =>
    types.includes(slice.addressType) &&
    slice.metadata?.ownerReferences?.some(({ uid }) => uid === service.metadata?.uid) === true;
  const foreign = existing.filter((slice) => !isMine(slice));
  const plans = types.map((type) => {
    const slices = existing.filter((slice) => isMine(slice) && slice.addressType === type);
    return planFamily(facts, { slices, type, options });
  });
  const deleting = service.metadata?.deletionTimestamp !== undefined;
  return {
    // Not while the Service goes: the garbage collector would race with what is made anew.
    create: deleting
      ? []
      : plans.flatMap(({ create }) => create).map((slice) => withTriggerTime(slice, options.triggerTime)),
    update: plans.flatMap(({ update }) => update).map((slice) => withTriggerTime(slice, options.triggerTime)),
    remove: [...foreign, ...plans.flatMap(({ remove }) => remove)],
  };
}

interface Family {
  readonly slices: readonly EndpointSlice[];
  readonly type: string;
  readonly options: SlicePlanOptions;
}

function planFamily(facts: EndpointFacts, { slices, type, options }: Family): SlicePlan {
  const { service } = facts;
  const create: EndpointSlice[] = [];
  const wanted = new Map<EndpointSlice, EndpointSlice>();
  for (const group of desiredEndpoints(facts, type)) {
    const key = portsKey(group.ports);
    const same = slices.filter((slice) => portsKey(slice.ports ?? []) === key);
    const endpoints = withTrafficHints(service, group.endpoints);
    const { kept, created } = fillSlices(same, endpoints, options.maxEndpointsPerSlice ?? 100);
    for (const [slice, content] of kept) {
      if (content.length > 0) wanted.set(slice, withLabels(service, { ...slice, endpoints: content }));
    }
    create.push(...created.map((content) => buildSlice(service, { type, ports: group.ports, endpoints: content })));
  }
  const unused = slices.filter((slice) => !wanted.has(slice));
  // A Service without endpoints has one empty slice, so that everybody can see that it has none.
  if (wanted.size === 0 && create.length === 0) create.push(buildSlice(service, { type, ports: [], endpoints: [] }));
  return reuse(wanted, create, unused);
}

// What is no longer needed becomes what is: one write instead of a creation and a deletion.
function reuse(
  wanted: ReadonlyMap<EndpointSlice, EndpointSlice>,
  create: readonly EndpointSlice[],
  unused: readonly EndpointSlice[],
): SlicePlan {
  const recycled = new Map(wanted);
  for (const [index, slice] of create.slice(0, unused.length).entries()) {
    const old = unused[index]!;
    const { labels } = slice.metadata ?? {};
    recycled.set(old, {
      ...old,
      ports: slice.ports,
      endpoints: slice.endpoints,
      metadata: { ...old.metadata, labels },
    });
  }
  const update = [...recycled].filter(([old, next]) => !isSemanticallyEqual(old, next)).map(([, next]) => next);
  return { create: create.slice(unused.length), update, remove: unused.slice(create.length) };
}

interface SliceContent {
  readonly type: string;
  readonly ports: readonly EndpointSlicePort[];
  readonly endpoints: readonly Endpoint[];
}

function buildSlice(service: Service, { type, ports, endpoints }: SliceContent): EndpointSlice {
  const { name = '', namespace } = service.metadata ?? {};
  const ownerReferences: OwnerReference[] = [controllerReferenceTo(resources.services, service)];
  const metadata = { generateName: generateNameFor(name), namespace, ownerReferences };
  return withLabels(service, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: type,
    ports,
    endpoints,
  });
}

function withLabels(service: Service, slice: EndpointSlice): EndpointSlice {
  const {
    [SERVICE_NAME]: _name,
    [MANAGED_BY]: _manager,
    [HEADLESS]: _headless,
    ...labels
  } = service.metadata?.labels ?? {};
  const { clusterIP } = service.spec ?? {};
  const own = {
    ...labels,
    ...(!clusterIP || clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
    [SERVICE_NAME]: service.metadata?.name ?? '',
    [MANAGED_BY]: ENDPOINT_SLICE_CONTROLLER,
  };
  return { ...slice, metadata: { ...slice.metadata, labels: own } };
}

function withTriggerTime(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const { [TRIGGER_TIME]: _old, ...others } = slice.metadata?.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [TRIGGER_TIME]: time };
  if (Object.keys(annotations).length === 0 && slice.metadata?.annotations === undefined) return slice;
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}
