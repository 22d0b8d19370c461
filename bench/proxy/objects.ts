// The cluster that the proxies are measured with: S Services of E endpoints each, one node.
import type { EndpointSlice, Service } from '../../src/kube/generated/types.ts';
import { resources } from '../../src/kube/resources.ts';
import { buildNode } from '../../test/helpers/build-objects.ts';
import { FakeKubeClient } from '../../test/helpers/fake-kube-client.ts';
import { systemClock } from '../../test/helpers/system-clock.ts';

export interface Size {
  readonly services: number;
  readonly endpoints: number;
}

/** Endpoints are in 10.128.0.0/9. */
export const CLUSTER_CIDR = '10.128.0.0/9';
export const NODE = 'node-1';

/** Reads `1000x10`. */
export function parseSize(word: string): Size {
  const [services = Number.NaN, endpoints = Number.NaN] = word.split('x').map(Number);
  if (!(services > 0 && endpoints > 0)) throw new TypeError(`${word} is no size; write 1000x10`);
  return { services, endpoints };
}

export const nameOf = (index: number): string => `svc-${index}`;
export const clusterIP = (index: number): string => `10.96.${index >> 8}.${index & 255}`;

/** The endpoints that a Service has at first. */
export function ipsOf({ endpoints }: Size, index: number): string[] {
  return Array.from({ length: endpoints }, (_, at) => {
    const number = index * endpoints + at;
    return `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  });
}

export function serviceAt(index: number): Service {
  const ip = clusterIP(index);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'bench', name: nameOf(index) },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
}

export function sliceAt(index: number, ips: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'bench',
      name: `${nameOf(index)}-a`,
      labels: { 'kubernetes.io/service-name': nameOf(index) },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: ips.map((ip, at) => ({ addresses: [ip], conditions: { ready: true }, nodeName: `node-${at + 1}` })),
  };
}

/** A client that holds the whole cluster and tells changes as a watch does. */
export function loadedClient(size: Size): FakeKubeClient {
  const client = new FakeKubeClient(systemClock);
  client.put(resources.nodes, buildNode({ name: NODE, ips: ['172.18.0.2'] }));
  for (let index = 0; index < size.services; index++) {
    client.put(resources.services, serviceAt(index));
    client.put(resources.endpointSlices, sliceAt(index, ipsOf(size, index)));
  }
  return client;
}
