import type { EndpointSlice, Namespace, Service } from '../../src/kube/generated/types.ts';
import type { KubeObject } from '../../src/kube/resources.ts';

const NAMESPACES = 50;

/** `count` Services in 50 namespaces, each with a slice of two ready endpoints, as an API server lists them. */
export function buildObjects(count: number): readonly KubeObject[] {
  const namespaces = Array.from({ length: NAMESPACES }, (_, i): Namespace & KubeObject => ({
    ...{ apiVersion: 'v1', kind: 'Namespace' },
    metadata: { name: `ns-${i}` },
  }));
  const services = Array.from({ length: count }, (_, i) => [buildService(i), buildSlice(i)]);
  return [...namespaces, ...services.flat()];
}

/** The `i`th Service; `change` gives it another cluster IP. */
export function buildService(i: number, change = 0): Service & KubeObject {
  const clusterIP = `10.${96 + (i >> 16) + change}.${(i >> 8) & 0xff}.${i & 0xff}`;
  return {
    ...{ apiVersion: 'v1', kind: 'Service' },
    metadata: { name: `svc-${i}`, namespace: `ns-${i % NAMESPACES}`, labels: { app: `svc-${i}` } },
    spec: {
      ...{ type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' },
      ...{ sessionAffinity: 'None', internalTrafficPolicy: 'Cluster', selector: { app: `svc-${i}` } },
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
}

function buildSlice(i: number): EndpointSlice & KubeObject {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: {
      ...{ name: `svc-${i}-x`, namespace: `ns-${i % NAMESPACES}` },
      labels: { 'kubernetes.io/service-name': `svc-${i}` },
    },
    endpoints: [128, 160].map((net) => ({
      addresses: [`10.${net + (i >> 16)}.${(i >> 8) & 0xff}.${i & 0xff}`],
      conditions: { ready: true, serving: true, terminating: false },
    })),
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  };
}

/** The name of the `i`th Service. */
export function nameOf(i: number): string {
  return `svc-${i}.ns-${i % NAMESPACES}.svc.cluster.local`;
}

/** Questions for dnsperf: addresses that are there. */
export function hitQuestions(count: number): string {
  return lines(count, (i) => `${nameOf(i)} A`);
}

/** 40 of 100 addresses, 40 of a family that is not there, 20 names that are not there. */
export function mixedQuestions(count: number): string {
  return lines(count, (i) => {
    const turn = i % 5;
    if (turn === 4) return `${nameOf(i).replace('svc-', 'ghost-')} A`;
    return `${nameOf(i)} ${turn < 2 ? 'A' : 'AAAA'}`;
  });
}

// Spread over the Services: neighbours in the file are not neighbours in any table.
function lines(count: number, print: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => `${print((i * 7919) % count)}\n`).join('');
}
