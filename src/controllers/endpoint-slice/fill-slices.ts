import type { Endpoint, EndpointSlice } from '../../kube/generated/types.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';

/** The endpoints that existing slices are to hold, and those that need new slices. */
export interface FilledSlices {
  readonly kept: ReadonlyMap<EndpointSlice, readonly Endpoint[]>;
  /** Contents of new slices. */
  readonly created: readonly (readonly Endpoint[])[];
}

// Endpoints of large Services are looked at again with each change of another; they themselves never change.
const identities = new WeakMap<Endpoint, string>();
const equals = new WeakMap<Endpoint, Endpoint>();

/** What makes an endpoint the same one in another state: upstream's hash of address and target. */
export function endpointIdentity(endpoint: Endpoint): string {
  let identity = identities.get(endpoint);
  if (identity === undefined) {
    const { addresses, hostname = '', targetRef: { namespace = '', name = '', uid = '' } = {} } = endpoint;
    identity = [addresses.join(','), hostname, namespace, name, uid].join(' ');
    identities.set(endpoint, identity);
  }
  return identity;
}

function isSame(existing: Endpoint, wanted: Endpoint): boolean {
  if (equals.get(existing) === wanted) return true;
  if (!isSemanticallyEqual(existing, wanted)) return false;
  equals.set(existing, wanted);
  return true;
}

/**
 * Distributes endpoints over slices of the same ports with as few writes as possible: each stays where it is; new ones fill
 * slices that have to be written anyhow, then the fullest other slice that takes all the rest, then new slices.
 */
export function fillSlices(
  slices: readonly EndpointSlice[],
  endpoints: readonly Endpoint[],
  maxPerSlice: number,
): FilledSlices {
  const open = new Map(endpoints.map((endpoint) => [endpointIdentity(endpoint), endpoint]));
  const kept = new Map<EndpointSlice, Endpoint[]>();
  for (const slice of slices) kept.set(slice, takeKnown(slice, open));
  const rest = [...open.values()];
  const isChanged = (slice: EndpointSlice): boolean => !isSemanticallyEqual(kept.get(slice), slice.endpoints);
  const changed = slices.filter((slice) => isChanged(slice) && kept.get(slice)!.length > 0);
  for (const slice of changed.sort((a, b) => kept.get(b)!.length - kept.get(a)!.length)) {
    const content = kept.get(slice)!;
    content.push(...rest.splice(0, Math.max(0, maxPerSlice - content.length)));
  }
  const created: (readonly Endpoint[])[] = [];
  while (rest.length > 0) {
    const unchanged = slices.filter((slice) => !isChanged(slice));
    const target =
      rest.length < maxPerSlice ? fullestWithRoom(unchanged, kept, { room: rest.length, maxPerSlice }) : undefined;
    if (target === undefined) created.push(rest.splice(0, maxPerSlice));
    else kept.get(target)!.push(...rest.splice(0));
  }
  return { kept, created };
}

function takeKnown({ endpoints = [] }: EndpointSlice, open: Map<string, Endpoint>): Endpoint[] {
  const content: Endpoint[] = [];
  for (const endpoint of endpoints) {
    const identity = endpointIdentity(endpoint);
    const wanted = open.get(identity);
    if (wanted !== undefined && open.delete(identity)) content.push(isSame(endpoint, wanted) ? endpoint : wanted);
  }
  return content;
}

function fullestWithRoom(
  slices: readonly EndpointSlice[],
  kept: ReadonlyMap<EndpointSlice, readonly Endpoint[]>,
  { room, maxPerSlice }: { readonly room: number; readonly maxPerSlice: number },
): EndpointSlice | undefined {
  const size = (slice: EndpointSlice): number => kept.get(slice)?.length ?? 0;
  const fitting = slices.filter((slice) => size(slice) + room <= maxPerSlice);
  return fitting.sort((a, b) => size(b) - size(a))[0];
}
