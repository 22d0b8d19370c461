import { describe, expect, it } from 'vitest';
import { feedChange } from '../../../../src/dns/zone/cluster-feed.ts';
import { ClusterState, type StateObserver } from '../../../../src/dns/zone/cluster-state.ts';
import { ClusterSource } from '../../../../src/dns/zone/cluster-zone.ts';
import { ObjectZone } from '../../../../src/dns/zone/object-zone.ts';
import { slimObject } from '../../../../src/dns/zone/slim-object.ts';
import { type KubeObject, type ResourceType, resources } from '../../../../src/kube/resources.ts';
import { buildNamespace, buildPod, buildService } from '../../../helpers/build-objects.ts';
import { DnsChain } from '../../../helpers/dns-chain.ts';
import { randomObjects, randomQuestion } from '../../../helpers/dns-random-cluster.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const selection = { labels: '', namespaceLabels: '', pods: true, multicluster: false };
const shop = buildNamespace({ name: 'shop' });
const service = (name: string, clusterIP: string): KubeObject => buildService({ name, namespace: 'shop', clusterIP });

describe('ObjectZone', () => {
  it('tells of what differs, however often everything is replaced', () => {
    const zone = new ObjectZone(new SteppedClock(), [shop, service('a', '10.96.0.1'), service('b', '10.96.0.2')]);
    const told: string[] = [];
    const observer: StateObserver = {
      serviceChanged: ({ name }) => void told.push(name),
      addressChanged: () => undefined,
      namespaceChanged: (name) => void told.push(`namespace ${name}`),
      programmed: () => undefined,
    };
    zone.source(selection).state.observe(observer);
    zone.replace([shop, service('a', '10.96.0.1'), service('b', '10.96.0.3')]);
    expect(told).toEqual(['b']);
    zone.replace([service('b', '10.96.0.3')]);
    expect(told).toEqual(['b', 'namespace shop', 'a']);
  });

  it('keeps to the labels that a zone selects, also when they change', () => {
    const labeled = (value: string): KubeObject => ({
      ...service('a', '10.96.0.1'),
      metadata: { name: 'a', namespace: 'shop', labels: { dns: value } },
    });
    const zone = new ObjectZone(new SteppedClock(), [shop, labeled('no')]);
    const { state } = zone.source({ ...selection, labels: 'dns=yes' });
    expect(state.service('shop', 'a')?.facts).toBeUndefined();
    zone.replace([shop, labeled('yes')]);
    expect(state.service('shop', 'a')?.facts?.clusterIPs).toEqual(['10.96.0.1']);
    zone.replace([shop, labeled('no')]);
    expect(state.service('shop', 'a')?.facts).toBeUndefined();
  });

  it('gives the same source for the same selection, and follows pods only when asked', () => {
    const zone = new ObjectZone(new SteppedClock(), [
      shop,
      buildPod({ name: 'p', namespace: 'shop', ips: ['10.244.0.1'] }),
    ]);
    expect(zone.source(selection)).toBe(zone.source({ ...selection }));
    const without = zone.source({ ...selection, pods: false });
    expect(without).not.toBe(zone.source(selection));
    expect([...without.state.podsWithIp('10.244.0.1')]).toHaveLength(0);
    expect([...zone.source(selection).state.podsWithIp('10.244.0.1')]).toHaveLength(1);
  });
});

describe('slimObject', () => {
  const types: readonly ResourceType[] = [
    resources.namespaces,
    resources.services,
    resources.endpointSlices,
    resources.pods,
  ];

  it('keeps all that answers are made of', async () => {
    const corefile =
      '. {\n k8s_external ext.example {\n headless\n }\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods verified\n endpoint_pod_names\n }\n}\n';
    const random = seededRandom(11);
    for (let i = 0; i < 10; i++) {
      const objects = randomObjects(random);
      const whole = new ClusterState(() => 0);
      const slim = new ClusterState(() => 0);
      for (const object of objects) {
        const type = types.find(({ kind }) => kind === object.kind)!;
        feedChange(whole, type, { previous: undefined, current: object });
        feedChange(slim, type, { previous: undefined, current: slimObject(object) });
      }
      for (const state of [whole, slim]) state.markSynced();
      const chains = await Promise.all(
        [whole, slim].map((state) => {
          const source = new ClusterSource(state);
          return DnsChain.build(corefile, { zone: { source: () => source } });
        }),
      );
      for (let n = 0; n < 60; n++) {
        const { name, type } = randomQuestion(random);
        const [one, other] = await Promise.all(chains.map((chain) => chain.ask(name, type)));
        expect(other, `${name} ${type}`).toEqual(one);
      }
    }
  });

  it('leaves other kinds as they are', () => {
    const object = { kind: 'ConfigMap', metadata: { name: 'x' } };
    expect(slimObject(object)).toBe(object);
  });
});
