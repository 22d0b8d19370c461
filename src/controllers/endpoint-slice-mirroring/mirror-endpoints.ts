import { canonicalAddress, familyOf } from '../../ipam/address.ts';
import type { Endpoint, EndpointAddress, EndpointSubset, Endpoints, Service } from '../../kube/generated/types.ts';
import { controllerReferenceTo } from '../../kube/owner-references.ts';
import { resources } from '../../kube/resources.ts';
import { type EndpointGroup, portsKey } from '../endpoint-slice/desired-endpoints.ts';
import type { SliceSpec } from '../endpoint-slice/plan-slices.ts';
import {
  MANAGED_BY,
  MIRRORING_CONTROLLER,
  SERVICE_NAME,
  SKIP_MIRROR,
  TRIGGER_TIME,
  withoutReservedLabels,
} from '../endpoint-slice/slice-labels.ts';

const LEADER = 'control-plane.alpha.kubernetes.io/leader';
/** More addresses of one subset are not mirrored. */
const MAX_PER_SUBSET = 1000;

/** True when a hand-made Endpoints object is to show up as slices: its Service has no selector and nobody forbids it. */
export function isMirrored(endpoints: Endpoints | undefined, service: Service | undefined): endpoints is Endpoints {
  return (
    endpoints !== undefined &&
    service !== undefined &&
    Object.keys(service.spec?.selector ?? {}).length === 0 &&
    endpoints.metadata?.labels?.[SKIP_MIRROR] !== 'true' &&
    endpoints.metadata?.annotations?.[LEADER] === undefined
  );
}

/** The slices that mirror an Endpoints object: one group for each set of ports and family. */
export function buildMirror(endpoints: Endpoints): SliceSpec {
  const { name = '', namespace, labels, annotations = {} } = endpoints.metadata ?? {};
  const {
    [TRIGGER_TIME]: triggerTime,
    'kubectl.kubernetes.io/last-applied-configuration': _applied,
    ...mirrored
  } = annotations;
  const types = ['IPv4', 'IPv6'];
  return {
    owner: controllerReferenceTo(resources.endpoints, endpoints),
    namespace,
    labels: { ...withoutReservedLabels(labels), [SERVICE_NAME]: name, [MANAGED_BY]: MIRRORING_CONTROLLER },
    annotations: mirrored,
    groups: new Map(types.map((type) => [type, groupsOf(endpoints.subsets ?? [], type)])),
    placeholder: false,
    maxEndpointsPerSlice: 100,
    triggerTime,
  };
}

function groupsOf(subsets: readonly EndpointSubset[], type: string): readonly EndpointGroup[] {
  const groups = new Map<string, EndpointGroup>();
  for (const subset of subsets) {
    const ports = (subset.ports ?? []).map(({ name = '', protocol = 'TCP', ...rest }) => ({ name, protocol, ...rest }));
    const key = portsKey(ports);
    const known = groups.get(key)?.endpoints ?? [];
    const added = endpointsOf(subset, type).filter(
      ({ addresses: [ip] }) => !known.some(({ addresses }) => addresses[0] === ip),
    );
    groups.set(key, { ports, endpoints: [...known, ...added] });
  }
  return [...groups.values()].filter(({ endpoints }) => endpoints.length > 0);
}

function endpointsOf({ addresses = [], notReadyAddresses = [] }: EndpointSubset, type: string): readonly Endpoint[] {
  const all = [
    ...addresses.map((address) => toEndpoint(address, true)),
    ...notReadyAddresses.map((address) => toEndpoint(address, false)),
  ];
  return all.slice(0, MAX_PER_SUBSET).filter(({ addresses: [ip = ''] }) => familyOf(ip) === type);
}

function toEndpoint({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [canonicalAddress(ip) ?? ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(targetRef ? { targetRef } : {}),
    ...(nodeName ? { nodeName } : {}),
  };
}
