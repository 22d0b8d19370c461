import { describe, expect, it } from 'vitest';
import { feedChange } from '../../../../src/dns/zone/cluster-feed.ts';
import { ClusterState, type StateObserver } from '../../../../src/dns/zone/cluster-state.ts';
import { type KubeObject, type ResourceType, resources } from '../../../../src/kube/resources.ts';
import {
  buildEndpoint,
  buildEndpointSlice,
  buildNamespace,
  buildPod,
  buildService,
} from '../../../helpers/build-objects.ts';

function setup(): { state: ClusterState; told: string[]; feed: Feed; tick: (ms: number) => void } {
  let now = 1_000_000;
  const state = new ClusterState(() => now);
  const told: string[] = [];
  const observer: StateObserver = {
    serviceChanged: ({ namespace, name }) => void told.push(`service ${namespace}/${name}`),
    addressChanged: (ip) => void told.push(`address ${ip}`),
    namespaceChanged: (name) => void told.push(`namespace ${name}`),
    programmed: ({ name }, at) => void told.push(`programmed ${name} ${at}`),
  };
  state.observe(observer);
  const feed: Feed = (type, previous, current) => feedChange(state, type, { previous, current });
  return { state, told, feed, tick: (ms) => (now += ms) };
}

type Feed = (type: ResourceType, previous: KubeObject | undefined, current: KubeObject | undefined) => void;

describe('ClusterState', () => {
  it('tells only what a change touches', () => {
    const { feed, told } = setup();
    feed(resources.services, undefined, buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.1' }));
    told.length = 0;
    feed(resources.services, undefined, buildService({ name: 'db', namespace: 'shop', clusterIP: '10.96.0.2' }));
    expect(told.sort()).toEqual(['address 10.96.0.2', 'service shop/db']);
  });

  it('forgets the old cluster IP of a Service that got another', () => {
    const { feed, state, told } = setup();
    const before = buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.1' });
    const after = buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.9' });
    feed(resources.services, undefined, before);
    told.length = 0;
    feed(resources.services, before, after);
    expect(told).toContain('address 10.96.0.1');
    expect([...state.servicesWithClusterIp('10.96.0.1')]).toEqual([]);
    expect([...state.servicesWithClusterIp('10.96.0.9')].map(({ name }) => name)).toEqual(['web']);
  });

  it('holds slices that come before their Service, and lets go of a name when both are gone', () => {
    const { feed, state } = setup();
    const slice = buildEndpointSlice({ namespace: 'shop', endpoints: [buildEndpoint({ ip: '10.244.0.5' })] });
    const service = buildService({ name: 'web', namespace: 'shop' });
    feed(resources.endpointSlices, undefined, slice);
    expect(state.service('shop', 'web')?.facts).toBeUndefined();
    feed(resources.services, undefined, service);
    feed(resources.services, service, undefined);
    expect([...state.servicesWithEndpoint('10.244.0.5')]).toHaveLength(1);
    feed(resources.endpointSlices, slice, undefined);
    expect(state.service('shop', 'web')).toBeUndefined();
    expect([...state.servicesWithEndpoint('10.244.0.5')]).toEqual([]);
  });

  it('keeps an address that another slice of the same Service still has', () => {
    const { feed, state } = setup();
    const endpoints = [buildEndpoint({ ip: '10.244.0.5' })];
    const [first, second] = ['a', 'b'].map((name) => buildEndpointSlice({ name, namespace: 'shop', endpoints }));
    feed(resources.endpointSlices, undefined, first);
    feed(resources.endpointSlices, undefined, second);
    feed(resources.endpointSlices, first, undefined);
    expect([...state.servicesWithEndpoint('10.244.0.5')]).toHaveLength(1);
  });

  it('moves a slice whose Service label changes', () => {
    const { feed, state } = setup();
    const endpoints = [buildEndpoint({ ip: '10.244.0.5' })];
    const before = buildEndpointSlice({ name: 's', namespace: 'shop', service: 'web', endpoints });
    const after = buildEndpointSlice({ name: 's', namespace: 'shop', service: 'db', endpoints });
    feed(resources.endpointSlices, undefined, before);
    feed(resources.endpointSlices, before, after);
    expect([...state.servicesWithEndpoint('10.244.0.5')].map(({ name }) => name)).toEqual(['db']);
  });

  it('finds pods by their first address while they live', () => {
    const { feed, state } = setup();
    const pod = buildPod({ name: 'p', namespace: 'shop', ips: ['10.244.0.7', 'fd00::7'] });
    feed(resources.pods, undefined, pod);
    expect([...state.podsWithIp('10.244.0.7')]).toHaveLength(1);
    expect([...state.podsWithIp('fd00::7')]).toHaveLength(0);
    const ending = buildPod({
      name: 'p',
      namespace: 'shop',
      ips: ['10.244.0.7'],
      deletionTimestamp: '2026-01-01T00:00:00Z',
    });
    feed(resources.pods, pod, ending);
    expect([...state.podsWithIp('10.244.0.7')]).toHaveLength(0);
  });

  it('moves the serial with every change, the external one only with external addresses', () => {
    const { feed, state, tick } = setup();
    feed(resources.services, undefined, buildService({ name: 'web', namespace: 'shop' }));
    expect(state.modified).toEqual({ internal: 1000, external: 0, multicluster: 0 });
    tick(5000);
    const lb = buildService({
      name: 'lb',
      namespace: 'shop',
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
    });
    feed(resources.services, undefined, lb);
    expect(state.modified).toEqual({ internal: 1005, external: 1005, multicluster: 0 });
  });

  it('tells when a change of endpoints was caused', () => {
    const { feed, told } = setup();
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00.5Z' };
    feed(resources.endpointSlices, undefined, buildEndpointSlice({ namespace: 'shop', annotations }));
    expect(told).toContain(`programmed web ${Date.UTC(2026, 0, 1) + 500}`);
  });

  it('tells of namespaces that come and go, once', () => {
    const { feed, told, state } = setup();
    const namespace = buildNamespace({ name: 'shop' });
    feed(resources.namespaces, undefined, namespace);
    feed(resources.namespaces, namespace, namespace);
    expect(state.hasNamespace('shop')).toBe(true);
    feed(resources.namespaces, namespace, undefined);
    expect(told).toEqual(['namespace shop', 'namespace shop']);
  });
});
