import { describe, expect, it } from 'vitest';
import type { EndpointSlice, Service } from '../../../src/kube/generated/types.ts';
import { keyOf } from '../../../src/kube/resources.ts';
import type { ConntrackFlow } from '../../../src/netfilter/runner.ts';
import { staleFlows } from '../../../src/proxy/conntrack/stale-flows.ts';
import { isLocal } from '../../../src/proxy/facts/endpoint.ts';
import { ServiceFacts } from '../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { countLocalReady, healthCheckPorts } from '../../../src/proxy/health/local-ready.ts';
import { countNoLocalEndpoints } from '../../../src/proxy/metrics/proxy-metrics.ts';
import {
  factsOfVector,
  familyOfVector,
  loadVectors,
  nodeOfVector,
  stateOfVector,
  type Vector,
} from '../../helpers/proxy-vectors.ts';

interface Categorize extends Vector {
  readonly servicePort: string;
  readonly expect: {
    readonly clusterEndpoints: readonly string[] | null;
    readonly localEndpoints: readonly string[] | null;
    readonly allReachableEndpoints: readonly string[];
    readonly hasAnyEndpoints: boolean;
  };
}

describe('endpoints are selected as by CategorizeEndpoints', () => {
  it.each(loadVectors<Categorize>('categorize'))('$id: $title', (vector) => {
    const selected = stateOfVector(vector).ports.get(vector.servicePort);
    const { cluster, local, reachable, hasAny } = selected!.endpoints;
    const addresses = (list: typeof cluster): string[] => list.map(({ address }) => address);
    expect(addresses(cluster)).toEqual(vector.expect.clusterEndpoints ?? []);
    expect(addresses(local)).toEqual(vector.expect.localEndpoints ?? []);
    expect(addresses(reachable).sort()).toEqual([...(vector.expect.allReachableEndpoints ?? [])].sort());
    expect(hasAny).toBe(vector.expect.hasAnyEndpoints);
  });
});

interface ServiceMap extends Vector {
  readonly steps: readonly {
    readonly add?: readonly Service[];
    readonly update?: readonly Service[];
    readonly deleteAfter?: readonly string[];
    readonly expect: {
      readonly servicePorts: readonly string[];
      readonly healthCheckNodePorts: Readonly<Record<string, number>>;
      readonly changed?: boolean;
    };
  }[];
}

describe('ServicePorts follow their Services', () => {
  it.each(loadVectors<ServiceMap>('service-map'))('$id: $title', ({ steps, nodeState }) => {
    const facts = new ServiceFacts();
    using tracker = new StateTracker(facts, nodeOfVector(nodeState), () => {});
    for (const { add = [], update = [], deleteAfter = [], expect: wanted } of steps) {
      for (const service of [...add, ...update]) facts.setService(keyOf(service), service);
      for (const key of deleteAfter) facts.setService(key, undefined);
      const { state, changed } = tracker.take();
      expect([...state.ports.keys()].sort()).toEqual([...wanted.servicePorts].sort());
      expect(Object.fromEntries(healthCheckPorts(facts, ['ipv4']))).toEqual(wanted.healthCheckNodePorts);
      if (wanted.changed !== undefined) expect(changed.size > 0).toBe(wanted.changed);
    }
  });
});

type EndpointsByPort = Readonly<Record<string, readonly { readonly endpoint: string; readonly isLocal: boolean }[]>>;
interface EndpointsMap extends Vector {
  readonly previousSlices: readonly EndpointSlice[];
  readonly currentSlices: readonly EndpointSlice[];
  readonly expect: {
    readonly before: EndpointsByPort;
    readonly after: EndpointsByPort;
    readonly localReadyEndpoints: Readonly<Record<string, number>>;
  };
}

describe('endpoints follow their slices', () => {
  it.each(loadVectors<EndpointsMap>('endpoints-map'))('$id: $title', (vector) => {
    const { previousSlices, currentSlices, nodeState } = vector;
    const facts = new ServiceFacts();
    const all = (): EndpointsByPort => {
      const entries = [...facts.services('ipv4')].flatMap((service) => [...facts.endpointsOf('ipv4', service)]);
      return Object.fromEntries(
        entries.map(([key, endpoints]) => [
          key,
          endpoints.map((endpoint) => ({
            endpoint: endpoint.address,
            isLocal: isLocal(endpoint, nodeState.nodeName),
          })),
        ]),
      );
    };
    for (const slice of previousSlices) facts.setSlice(keyOf(slice), slice);
    expect(all()).toEqual(vector.expect.before);
    const kept = new Set(currentSlices.map(keyOf));
    for (const slice of previousSlices) if (!kept.has(keyOf(slice))) facts.setSlice(keyOf(slice), undefined);
    for (const slice of currentSlices) facts.setSlice(keyOf(slice), slice);
    expect(all()).toEqual(vector.expect.after);
    expect(localReady(facts, nodeState.nodeName)).toEqual(vector.expect.localReadyEndpoints);
  });
});

function localReady(facts: ServiceFacts, nodeName: string): Record<string, number> {
  const counts = [...facts.services('ipv4')].map(
    (service) => [service, countLocalReady(facts, { family: 'ipv4', service, nodeName })] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

interface LocalReady extends Vector {
  readonly expect: { readonly localReadyEndpoints: Readonly<Record<string, number>> };
}

describe('a health check counts local ready endpoints', () => {
  it.each(loadVectors<LocalReady>('local-ready'))('$id: $title', (vector) => {
    expect(localReady(factsOfVector(vector), vector.nodeState.nodeName)).toEqual(vector.expect.localReadyEndpoints);
  });
});

interface Metric extends Vector {
  readonly expect: { readonly values: { readonly internal: number; readonly external: number } };
}

describe('services without local endpoints are counted', () => {
  it.each(loadVectors<Metric>('metric'))('$id: $title', (vector) => {
    expect(countNoLocalEndpoints(stateOfVector(vector).ports.values())).toEqual(vector.expect.values);
  });
});

interface Reconcile extends Vector {
  readonly entries: readonly {
    readonly protocol: string;
    readonly origDst: string;
    readonly origDstPort: number;
    readonly replySrc: string;
    readonly deleted: boolean;
  }[];
}

describe('stale UDP flows are found', () => {
  it.each(loadVectors<Reconcile>('conntrack-reconcile'))('$id', (vector) => {
    const family = familyOfVector(vector.nodeState);
    const facts = factsOfVector(vector);
    const flows = vector.entries.map(
      ({ protocol, origDst, origDstPort, replySrc }): ConntrackFlow => ({
        family,
        protocol: protocol.toLowerCase() as 'udp',
        original: { source: '10.0.0.1', sourcePort: 40_000, destination: origDst, destinationPort: origDstPort },
        reply: { source: replySrc, sourcePort: 80, destination: '10.0.0.1', destinationPort: 40_000 },
      }),
    );
    const udpPorts = [...facts.services(family)].flatMap((service) =>
      facts.portsOf(family, service).map((port) => ({
        port,
        endpoints: facts.endpointsOf(family, service).get(port.key) ?? [],
      })),
    );
    const stale = new Set(staleFlows(flows, udpPorts));
    expect(flows.map((flow) => stale.has(flow))).toEqual(vector.entries.map(({ deleted }) => deleted));
  });
});
