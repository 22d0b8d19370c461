import { describe, expect, it } from 'vitest';
import { type FactChange, type FactProblem, ServiceFacts } from '../../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../../src/proxy/facts/state-tracker.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../../helpers/build-objects.ts';
import { buildNodeFacts } from '../../../helpers/build-proxy-facts.ts';

const slice = (...ips: readonly string[]) => buildEndpointSlice({ endpoints: ips.map((ip) => buildEndpoint({ ip })) });
const addresses = (facts: ServiceFacts, service = 'default/web') =>
  [...(facts.endpointsOf('ipv4', service).get(`${service}:/TCP`) ?? [])].map(({ address }) => address);

function withFacts() {
  const changes: FactChange[] = [];
  const problems: FactProblem[] = [];
  const facts = new ServiceFacts({ onProblem: (problem) => problems.push(problem) });
  facts.subscribe((change) => changes.push(change));
  return { facts, changes, problems };
}

describe('facts of Services', () => {
  it('tell of a change once, and not of an object that means the same', () => {
    const { facts, changes } = withFacts();
    facts.setService('default/web', buildService());
    facts.setService('default/web', buildService({ labels: { irrelevant: 'yes' }, resourceVersion: '2' }));
    facts.setSlice('default/web-abcde', slice('10.244.0.2'));
    facts.setSlice('default/web-abcde', {
      ...slice('10.244.0.2'),
      metadata: { ...slice().metadata, resourceVersion: '3' },
    });
    expect(changes.map(({ kind }) => kind)).toEqual(['service', 'endpoints']);
  });

  it.each(['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'])(
    'leave out objects with label %s, also when it comes later',
    (label) => {
      const { facts } = withFacts();
      facts.setService('default/web', buildService());
      facts.setSlice('default/web-abcde', slice('10.244.0.2'));
      facts.setService('default/web', buildService({ labels: { [label]: '' } }));
      facts.setSlice('default/web-abcde', { ...slice('10.244.0.2'), metadata: { labels: { [label]: '' } } });
      expect([...facts.services('ipv4')]).toEqual([]);
    },
  );

  it('follow a slice that moves to another Service', () => {
    const { facts, changes } = withFacts();
    facts.setSlice('default/web-abcde', slice('10.244.0.2'));
    facts.setSlice('default/web-abcde', buildEndpointSlice({ service: 'other', endpoints: [buildEndpoint()] }));
    expect(addresses(facts)).toEqual([]);
    expect(addresses(facts, 'default/other')).toEqual(['10.244.0.2:8080']);
    expect(changes.map(({ service }) => service)).toEqual(['default/web', 'default/web', 'default/other']);
  });

  it('order endpoints by their text, not by number', () => {
    const { facts } = withFacts();
    facts.setSlice('default/web-b', slice('10.1.1.2', '10.1.1.11'));
    facts.setSlice('default/web-a', slice('10.1.1.1'));
    expect(addresses(facts)).toEqual(['10.1.1.11:8080', '10.1.1.1:8080', '10.1.1.2:8080']);
  });

  it('ignore slices of host names, without a Service, and ports without name or number', () => {
    const { facts } = withFacts();
    facts.setSlice(
      'default/a',
      buildEndpointSlice({ addressType: 'FQDN', endpoints: [buildEndpoint({ ip: 'x.example' })] }),
    );
    facts.setSlice('default/b', { ...slice('10.244.0.2'), metadata: { name: 'b', namespace: 'default' } });
    facts.setSlice('default/c', {
      ...slice('10.244.0.2'),
      ports: [
        { port: 80, protocol: 'TCP' },
        { name: 'p', protocol: 'TCP' },
        { name: 'q', port: 0 },
      ],
    });
    expect([...facts.endpointsOf('ipv4', 'default/web').keys()]).toEqual([]);
  });

  it('skip an address that is none or of the other family, and say so as kube-proxy does', () => {
    const { facts, problems } = withFacts();
    facts.setSlice('default/web-abcde', slice('10.244.0.2', 'fd00::2', 'nonsense', '010.244.000.003'));
    expect(addresses(facts)).toEqual(['10.244.0.2:8080', '10.244.0.3:8080']);
    expect(problems.map(({ reason }) => reason)).toEqual(['KubeProxyIncorrectIPVersion', 'InvalidEndpointAddress']);
    expect(problems[0]?.message).toBe('fd00::2 in endpointslice has incorrect IP version');
  });

  it('keep unchanged endpoints and lists as they are, so that comparing references is enough', () => {
    const { facts } = withFacts();
    facts.setSlice('default/web-a', slice('10.244.0.2', '10.244.0.3'));
    const before = facts.endpointsOf('ipv4', 'default/web').get('default/web:/TCP')!;
    facts.setSlice('default/web-b', slice('10.244.0.4'));
    const after = facts.endpointsOf('ipv4', 'default/web').get('default/web:/TCP')!;
    expect(after).toHaveLength(3);
    expect(after[0]).toBe(before[0]);
    facts.setSlice('default/web-b', undefined);
    expect(facts.endpointsOf('ipv4', 'default/web').get('default/web:/TCP')).toEqual(before);
  });

  it('give all nodes the same selection where nothing depends on the node', () => {
    const { facts } = withFacts();
    facts.setService('default/web', buildService());
    facts.setSlice('default/web-abcde', slice('10.244.0.2'));
    const [port] = facts.portsOf('ipv4', 'default/web');
    const on = (nodeName: string) => facts.select(port!, buildNodeFacts({ nodeName }));
    expect(on('node-1')).toBe(on('node-2'));
    facts.setService('default/web', buildService({ spec: { internalTrafficPolicy: 'Local' } }));
    const [local] = facts.portsOf('ipv4', 'default/web');
    expect(facts.select(local!, buildNodeFacts({ nodeName: 'node-1' })).endpoints.local).toHaveLength(1);
    expect(facts.select(local!, buildNodeFacts({ nodeName: 'node-2' })).endpoints.local).toHaveLength(0);
  });

  it('prefer the entry on the own node when two slices name one address', () => {
    const { facts } = withFacts();
    facts.setService('default/web', buildService({ spec: { internalTrafficPolicy: 'Local' } }));
    const on = (nodeName: string) => buildEndpointSlice({ endpoints: [buildEndpoint({ nodeName })] });
    facts.setSlice('default/web-a', on('node-1'));
    facts.setSlice('default/web-b', on('node-2'));
    const [port] = facts.portsOf('ipv4', 'default/web');
    for (const nodeName of ['node-1', 'node-2']) {
      const { endpoints } = facts.select(port!, buildNodeFacts({ nodeName }));
      expect(endpoints.local.map((endpoint) => endpoint.nodeName)).toEqual([nodeName]);
      expect(endpoints.total).toBe(1);
    }
  });
});

describe('the view of a node', () => {
  it('names the ServicePorts that differ since the last look, and no others', () => {
    const facts = new ServiceFacts();
    using tracker = new StateTracker(facts, buildNodeFacts(), () => {});
    const take = () => [...tracker.take().changed].sort();
    facts.setService('default/web', buildService());
    facts.setService('default/other', buildService({ name: 'other', clusterIP: '10.96.0.11' }));
    expect(take()).toEqual(['default/other:/TCP', 'default/web:/TCP']);
    expect(take()).toEqual([]);
    facts.setSlice('default/web-abcde', slice('10.244.0.2'));
    expect(take()).toEqual(['default/web:/TCP']);
    facts.setSlice('default/web-abcde', slice('10.244.0.2', '10.244.0.3'));
    facts.setSlice('default/web-abcde', slice('10.244.0.2'));
    expect(take()).toEqual([]);
    facts.setService('default/web', buildService({ ports: [{ name: 'new', port: 80, protocol: 'TCP' }] }));
    expect(take()).toEqual(['default/web:/TCP', 'default/web:new/TCP']);
    facts.setService('default/web', undefined);
    expect(take()).toEqual(['default/web:new/TCP']);
  });

  it('is made anew when the node moves to another zone', () => {
    const facts = new ServiceFacts();
    const hinted = (ip: string, zone: string) => buildEndpoint({ ip, hints: { forZones: [{ name: zone }] } });
    facts.setService('default/web', buildService());
    facts.setSlice(
      'default/web-abcde',
      buildEndpointSlice({ endpoints: [hinted('10.244.0.2', 'a'), hinted('10.244.0.3', 'b')] }),
    );
    using tracker = new StateTracker(facts, buildNodeFacts({ zone: 'a' }), () => {});
    const used = () =>
      tracker
        .take()
        .state.ports.get('default/web:/TCP')
        ?.endpoints.cluster.map((endpoint) => endpoint.ip);
    expect(used()).toEqual(['10.244.0.2']);
    tracker.setNode(buildNodeFacts({ zone: 'b' }));
    expect(used()).toEqual(['10.244.0.3']);
  });

  it('knows when the changes began that it brings', () => {
    const facts = new ServiceFacts();
    using tracker = new StateTracker(facts, buildNodeFacts(), () => {});
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:01Z' };
    facts.setSlice('default/web-abcde', { ...slice('10.244.0.2'), metadata: { ...slice().metadata, annotations } });
    expect(tracker.take().triggerTimes).toEqual([Date.UTC(2026, 0, 1, 0, 0, 1)]);
    expect(tracker.take().triggerTimes).toEqual([]);
  });
});
