import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { startEndpointSliceController } from '../../../../src/controllers/endpoint-slice/endpoint-slice-controller.ts';
import { chooseTopologyHints } from '../../../../src/controllers/endpoint-slice/topology-hints.ts';
import type { Endpoint, Node } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildNode, buildPod, buildService } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const node = (name: string, zone: string | undefined, cpu = '4'): Node =>
  buildNode({ name, ...(zone ? { zone } : {}), status: { allocatable: { cpu } } });
const endpoints = (zones: readonly (string | undefined)[]): Endpoint[] =>
  zones.map((zone, i) => ({
    addresses: [`10.244.0.${i + 1}`],
    conditions: { ready: true },
    ...(zone ? { zone } : {}),
  }));
const counts = (list: readonly Endpoint[], nodes: readonly Node[]): Record<string, number> | string => {
  const hints = chooseTopologyHints(list, nodes);
  if ('problem' in hints) return hints.problem;
  const result: Record<string, number> = {};
  for (const endpoint of list) {
    const zone = hints.zoneOf(endpoint) ?? 'none';
    result[zone] = (result[zone] ?? 0) + 1;
  }
  return result;
};
const two = [node('a', 'a'), node('b', 'b')];

describe('topology aware routing by annotation (S10)', () => {
  test('endpoints serve their own zone where the shares fit', () => {
    expect(counts(endpoints(['a', 'a', 'b', 'b']), two)).toEqual({ a: 2, b: 2 });
  });

  test('a zone that has too many gives to one that has too few', () => {
    expect(counts(endpoints(['a', 'a', 'a', 'a', 'a', 'b']), two)).toEqual({ a: 3, b: 3 });
  });

  test('shares follow the CPUs of ready nodes', () => {
    const nodes = [
      node('a', 'a', '2'),
      node('b', 'b', '6'),
      { ...node('c', 'a', '64'), status: { allocatable: { cpu: '64' }, conditions: [] } },
    ];
    expect(counts(endpoints(['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b']), nodes)).toEqual({ a: 2, b: 6 });
  });

  test.each<[string, readonly Endpoint[], readonly Node[], RegExp]>([
    ['fewer endpoints than zones', endpoints(['a']), two, /Insufficient number of endpoints \(1\)/],
    ['one zone', endpoints(['a', 'a']), [node('a', 'a')], /only ready in one zone/],
    ['a node without zone', endpoints(['a', 'b']), [...two, node('c', undefined)], /Insufficient Node information/],
    ['an endpoint without zone', endpoints(['a', undefined]), two, /do not have a zone specified/],
    [
      'shares that cannot be met',
      endpoints(['a', 'a', 'b']),
      [node('a', 'a', '4'), node('b', 'b', '4')],
      /exceeding overload threshold/,
    ],
  ])('%s: no hints at all', (_what, list, nodes, problem) => {
    expect(counts(list, nodes)).toMatch(problem);
  });

  test('no zone is ever short of its share by more than the overload allows', () => {
    const zones = ['a', 'b', 'c'];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...zones), { minLength: 3, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 3, maxLength: 3 }),
        (placed, cpus) => {
          const nodes = zones.map((zone, i) => node(zone, zone, String(cpus[i])));
          const result = counts(endpoints(placed), nodes);
          if (typeof result === 'string') return;
          const total = cpus.reduce((sum, cpu) => sum + cpu, 0);
          for (const [i, zone] of zones.entries()) {
            const fair = (placed.length * cpus[i]!) / total;
            expect(Math.abs((result[zone] ?? 0) - fair)).toBeLessThan(1);
          }
        },
      ),
    );
  });

  test('slices carry the hints, and lose them when a zone goes', async () => {
    using harness = new ControllerHarness();
    const { client } = harness;
    client.put(resources.nodes, ...two);
    client.put(resources.services, buildService({ annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } }));
    for (let i = 1; i <= 4; i++)
      client.put(
        resources.pods,
        buildPod({ name: `p${i}`, labels: { app: 'web' }, nodeName: 'a', ips: [`10.244.0.${i}`] }),
      );
    await harness.start((context) => startEndpointSliceController(context));
    const zones = () =>
      client
        .all(resources.endpointSlices)[0]
        ?.endpoints?.map(({ hints }) => hints?.forZones?.[0]?.name)
        .sort();
    expect(zones()).toEqual(['a', 'a', 'b', 'b']);
    const writes = client.actions.length;
    client.put(resources.nodes, { ...two[0]!, metadata: { ...two[0]!.metadata, annotations: { heartbeat: '1' } } });
    await harness.settle();
    expect(client.actions.length).toBe(writes);
    client.remove(resources.nodes, 'b');
    await harness.settle();
    expect(zones()).toEqual([undefined, undefined, undefined, undefined]);
    expect(await harness.events()).toEqual([
      'TopologyAwareHintsEnabled Topology Aware Hints has been enabled, addressType: IPv4',
      'TopologyAwareHintsDisabled Nodes only ready in one zone, addressType: IPv4',
    ]);
  });
});
