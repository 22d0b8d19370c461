import type { Endpoint } from './endpoint.ts';
import { servicePortKey } from './service-port-name.ts';
import { endpointAt, type SliceFacts } from './slice-facts.ts';

/** Endpoints of a Service by ServicePort key, each list sorted by address. Duplicates of one address stay: which of them
 * counts depends on the node. */
export type EndpointMap = ReadonlyMap<string, readonly Endpoint[]>;

/** Joins the slices of one Service and family, given in order of their names. */
export function mergeSlices(slices: readonly SliceFacts[], previous: EndpointMap): EndpointMap {
  const merged = new Map<string, Endpoint[]>();
  for (const { service, ports, hosts } of slices) {
    const [namespace = '', name = ''] = service.split('/');
    for (const { name: portName, protocol, port } of ports) {
      const key = servicePortKey({ namespace, name }, portName, protocol);
      const list = merged.get(key) ?? [];
      for (const host of hosts) list.push(endpointAt(host, port));
      if (list.length > 0) merged.set(key, list);
    }
  }
  const result = new Map<string, readonly Endpoint[]>();
  for (const [key, list] of merged) result.set(key, keepIdentity(sortByAddress(list), previous.get(key) ?? []));
  return result;
}

// String order, not numeric: it is the order of the rules in kube-proxy.
function sortByAddress(list: Endpoint[]): Endpoint[] {
  return list.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

// Unchanged endpoints and lists stay the same objects, so that "did it change" is a comparison of references.
function keepIdentity(list: Endpoint[], previous: readonly Endpoint[]): readonly Endpoint[] {
  const known = new Map(previous.map((endpoint) => [endpoint.address, endpoint]));
  const kept = list.map((endpoint) => {
    const old = known.get(endpoint.address);
    return old !== undefined && isSameEndpoint(old, endpoint) ? old : endpoint;
  });
  const same = kept.length === previous.length && kept.every((endpoint, index) => endpoint === previous[index]);
  return same ? previous : kept;
}

/** True when two endpoints agree in everything that rules depend on. */
export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.address === b.address &&
    a.nodeName === b.nodeName &&
    a.ready === b.ready &&
    a.serving === b.serving &&
    a.terminating === b.terminating &&
    isSameList(a.zoneHints, b.zoneHints) &&
    isSameList(a.nodeHints, b.nodeHints)
  );
}

/** True when two lists hold the same values in the same order. */
export function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((value, index) => value === b[index]));
}
