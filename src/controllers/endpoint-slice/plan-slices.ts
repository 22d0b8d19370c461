import type { Endpoint, EndpointSlice, EndpointSlicePort, OwnerReference } from '../../kube/generated/types.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import { generateNameFor } from '../pods/build-pod.ts';
import { type EndpointGroup, portsKey } from './desired-endpoints.ts';
import { fillSlices } from './fill-slices.ts';
import { TRIGGER_TIME } from './slice-labels.ts';

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

/** What the slices of one owner (a Service, or a hand-made Endpoints object) are to be. */
export interface SliceSpec {
  readonly owner: OwnerReference;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Annotations that belong on every slice; others that stand there stay. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Endpoints by address type; a type that is not here has no slices. */
  readonly groups: ReadonlyMap<string, readonly EndpointGroup[]>;
  /** True when a type without endpoints has one empty slice, so that everybody can see that there are none. */
  readonly placeholder: boolean;
  readonly maxEndpointsPerSlice: number;
  /** Value of the trigger time annotation of what is written; none removes the annotation. */
  readonly triggerTime?: string | undefined;
}

/** The writes that bring slices to what the spec says. `existing`: all that the controller made under the Service's name. */
export function planSlices(spec: SliceSpec, existing: readonly EndpointSlice[]): SlicePlan {
  const isMine = ({ addressType, metadata }: EndpointSlice): boolean =>
    spec.groups.has(addressType) && metadata?.ownerReferences?.some(({ uid }) => uid === spec.owner.uid) === true;
  const plans = [...spec.groups].map(([type, groups]) => {
    const slices = existing.filter((slice) => isMine(slice) && slice.addressType === type);
    return planType(spec, { type, groups, slices });
  });
  const stamp = (slice: EndpointSlice): EndpointSlice => withTriggerTime(slice, spec.triggerTime);
  return {
    create: plans.flatMap(({ create }) => create).map(stamp),
    update: plans.flatMap(({ update }) => update).map(stamp),
    remove: [...existing.filter((slice) => !isMine(slice)), ...plans.flatMap(({ remove }) => remove)],
  };
}

interface TypeSlices {
  readonly type: string;
  readonly groups: readonly EndpointGroup[];
  readonly slices: readonly EndpointSlice[];
}

function planType(spec: SliceSpec, { type, groups, slices }: TypeSlices): SlicePlan {
  const create: EndpointSlice[] = [];
  const wanted = new Map<EndpointSlice, EndpointSlice>();
  for (const { ports, endpoints } of groups) {
    const key = portsKey(ports);
    const same = slices.filter((slice) => portsKey(slice.ports ?? []) === key);
    const { kept, created } = fillSlices(same, endpoints, spec.maxEndpointsPerSlice);
    for (const [slice, content] of kept) {
      if (content.length > 0) wanted.set(slice, withMetadata(spec, { ...slice, endpoints: content }));
    }
    create.push(...created.map((content) => buildSlice(spec, { type, ports, endpoints: content })));
  }
  const unused = slices.filter((slice) => !wanted.has(slice));
  if (spec.placeholder && wanted.size === 0 && create.length === 0) {
    create.push(buildSlice(spec, { type, ports: [], endpoints: [] }));
  }
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
    const annotations = { ...old.metadata?.annotations, ...slice.metadata?.annotations };
    const metadata = { ...old.metadata, labels, annotations };
    recycled.set(old, { ...old, ports: slice.ports, endpoints: slice.endpoints, metadata });
  }
  const update = [...recycled].filter(([old, next]) => !isSemanticallyEqual(old, next)).map(([, next]) => next);
  return { create: create.slice(unused.length), update, remove: unused.slice(create.length) };
}

interface SliceContent {
  readonly type: string;
  readonly ports: readonly EndpointSlicePort[];
  readonly endpoints: readonly Endpoint[];
}

function buildSlice(spec: SliceSpec, { type, ports, endpoints }: SliceContent): EndpointSlice {
  const { owner, namespace } = spec;
  const metadata = { generateName: generateNameFor(owner.name), namespace, ownerReferences: [owner] };
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: type,
    ports,
    endpoints,
  };
  return withMetadata(spec, slice);
}

function withMetadata({ labels, annotations }: SliceSpec, slice: EndpointSlice): EndpointSlice {
  const all = { ...slice.metadata?.annotations, ...annotations };
  const metadata = { ...slice.metadata, labels, ...(Object.keys(all).length > 0 ? { annotations: all } : {}) };
  return { ...slice, metadata };
}

function withTriggerTime(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const { [TRIGGER_TIME]: _old, ...others } = slice.metadata?.annotations ?? {};
  const annotations = time === undefined ? others : { ...others, [TRIGGER_TIME]: time };
  if (Object.keys(annotations).length === 0 && slice.metadata?.annotations === undefined) return slice;
  return { ...slice, metadata: { ...slice.metadata, annotations } };
}
