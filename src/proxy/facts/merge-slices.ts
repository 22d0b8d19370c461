import { joinHostPort } from '../../netfilter/address.ts';
import type { Endpoint } from './endpoint.ts';
import { servicePortKey } from './service-port-name.ts';
import { endpointAt, isSameHost, isSameList, type SliceFacts } from './slice-facts.ts';

/** Endpoints of a Service by ServicePort key, each list sorted by address. Duplicates of one address stay: which of them
 * counts depends on the node. */
export type EndpointMap = ReadonlyMap<string, readonly Endpoint[]>;

/** Joins the slices of one Service and family, given in order of their names. */
export function mergeSlices(slices: readonly SliceFacts[], previous: EndpointMap): EndpointMap {
  const merged = new Map<string, { readonly list: Endpoint[]; readonly known: KnownEndpoints }>();
  for (const { service, ports, hosts } of slices) {
    const [namespace = '', name = ''] = service.split('/');
    for (const { name: portName, protocol, port } of ports) {
      const key = servicePortKey({ namespace, name }, portName, protocol);
      const endpoints = merged.get(key) ?? { list: [], known: new KnownEndpoints(previous.get(key)) };
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

// So few are found sooner one by one than by a key that has to be made of address and port.
const FEW = 32;

/** Unchanged endpoints and lists stay the same objects, so that "did it change" is a comparison of references. */
class KnownEndpoints {
  readonly #list: readonly Endpoint[];
  readonly #byAddress: ReadonlyMap<string, Endpoint> | undefined;
  // The next one to be asked for is most often the one behind the last.
  #next = 0;

  constructor(list: readonly Endpoint[] = []) {
    this.#list = list;
    this.#byAddress = list.length <= FEW ? undefined : new Map(list.map((endpoint) => [endpoint.address, endpoint]));
  }

  find(ip: string, port: number): Endpoint | undefined {
    if (this.#byAddress !== undefined) return this.#byAddress.get(joinHostPort(ip, port));
    const { length } = this.#list;
    for (let tried = 0; tried < length; tried++) {
      const endpoint = this.#list[(this.#next + tried) % length]!;
      if (endpoint.ip !== ip || endpoint.port !== port) continue;
      this.#next = (this.#next + tried + 1) % length;
      return endpoint;
    }
    return undefined;
  }
}

function endpointOf(host: SliceFacts['hosts'][number], port: number, known: KnownEndpoints): Endpoint {
  const old = known.find(host.ip, port);
  return old !== undefined && isSameHost(old, host) ? old : endpointAt(host, port);
}

function keepList(list: readonly Endpoint[], previous: readonly Endpoint[] | undefined): readonly Endpoint[] {
  return previous !== undefined && isSameList(list, previous) ? previous : list;
}
