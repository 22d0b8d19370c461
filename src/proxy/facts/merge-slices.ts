import { joinHostPort } from '../../netfilter/address.ts';
import type { Endpoint } from './endpoint.ts';
import { servicePortKey } from './service-port-name.ts';
import { endpointAt, isSameHost, isSameList, type SliceFacts } from './slice-facts.ts';

/** Endpoints of a Service by ServicePort key, each list sorted by address. Duplicates of one address stay: which of them
 * counts depends on the node. */
export type EndpointMap = ReadonlyMap<string, readonly Endpoint[]>;

/** Joins the slices of one Service and family, given in order of their names. */
export function mergeSlices(slices: readonly SliceFacts[], previous: EndpointMap): EndpointMap {
  const merged = new Map<string, { readonly list: Endpoint[]; readonly known: ReadonlyMap<string, Endpoint> }>();
  for (const { service, ports, hosts } of slices) {
    const [namespace = '', name = ''] = service.split('/');
    for (const { name: portName, protocol, port } of ports) {
      const key = servicePortKey({ namespace, name }, portName, protocol);
      const endpoints = merged.get(key) ?? { list: [], known: byAddress(previous.get(key)) };
      for (const host of hosts) endpoints.list.push(endpointOf(host, port, endpoints.known));
      if (endpoints.list.length > 0) merged.set(key, endpoints);
    }
  }
  const result = new Map<string, readonly Endpoint[]>();
  for (const [key, { list }] of merged) result.set(key, keepList(sortByAddress(list), previous.get(key)));
  return result;
}

// String order, not numeric: it is the order of the rules in kube-proxy.
function sortByAddress(list: Endpoint[]): Endpoint[] {
  return list.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

// Unchanged endpoints and lists stay the same objects, so that "did it change" is a comparison of references.
function byAddress(previous: readonly Endpoint[] = []): ReadonlyMap<string, Endpoint> {
  const known = new Map<string, Endpoint>();
  for (const endpoint of previous) known.set(endpoint.address, endpoint);
  return known;
}

function endpointOf(host: SliceFacts['hosts'][number], port: number, known: ReadonlyMap<string, Endpoint>): Endpoint {
  const old = known.get(joinHostPort(host.ip, port));
  return old !== undefined && isSameHost(old, host) ? old : endpointAt(host, port);
}

function keepList(list: readonly Endpoint[], previous: readonly Endpoint[] | undefined): readonly Endpoint[] {
  return previous !== undefined && isSameList(list, previous) ? previous : list;
}
