import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { startEndpointSliceController } from '../../../../src/controllers/endpoint-slice/endpoint-slice-controller.ts';
import type { EndpointSlice, Pod, Service } from '../../../../src/kube/generated/types.ts';
import { hasLabels } from '../../../../src/kube/label-selector.ts';
import { keyOf, resources } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { buildEndpointSlice, buildNode, buildPod, buildService } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const web = (name: string, ip: string): Pod =>
  buildPod({ name, labels: { app: 'web' }, nodeName: 'node-1', ips: [ip] });
const addressesOf = (slices: readonly EndpointSlice[]): string[] =>
  slices.flatMap(({ endpoints = [] }) => endpoints.map(({ addresses }) => addresses[0]!)).sort();
async function run(prepare: (harness: ControllerHarness) => void, options = {}): Promise<ControllerHarness> {
  const harness = new ControllerHarness();
  harness.client.put(resources.nodes, buildNode());
  prepare(harness);
  return harness.start((context) => startEndpointSliceController(context, options));
}
const slices = ({ client }: ControllerHarness) => client.all(resources.endpointSlices);

describe('EndpointSlice controller', () => {
  test('follows pods: none, one, two, one, none (N38)', async () => {
    using harness = await run(({ client }) => client.put(resources.services, buildService()));
    const seen = [addressesOf(slices(harness))];
    const steps = [
      () => harness.client.put(resources.pods, web('a', '10.244.0.1')),
      () => harness.client.put(resources.pods, web('b', '10.244.0.2')),
      () => harness.client.remove(resources.pods, 'default/a'),
      () => harness.client.remove(resources.pods, 'default/b'),
    ];
    for (const step of steps) {
      step();
      await harness.settle();
      seen.push(addressesOf(slices(harness)));
    }
    expect(seen).toEqual([[], ['10.244.0.1'], ['10.244.0.1', '10.244.0.2'], ['10.244.0.2'], []]);
    expect(slices(harness)).toHaveLength(1);
  });

  test('a burst of pods makes one slice, not one for each', async () => {
    using harness = await run(({ client }) => client.put(resources.services, buildService()));
    for (let i = 0; i < 20; i++) harness.client.put(resources.pods, web(`p${i}`, `10.244.0.${i + 1}`));
    await harness.settle();
    expect(slices(harness)).toHaveLength(1);
    expect(
      harness.client.actions.filter(({ verb, resource }) => resource === 'endpointslices' && verb !== 'list').length,
    ).toBeLessThanOrEqual(3);
  });

  test('a pod that changes its labels leaves one Service and joins another', async () => {
    using harness = await run(({ client }) => {
      client.put(resources.services, buildService({ name: 'one', uid: '1', selector: { app: 'one' } }));
      client.put(resources.services, buildService({ name: 'two', uid: '2', selector: { app: 'two', tier: 'x' } }));
      client.put(resources.pods, buildPod({ name: 'p', labels: { app: 'one' }, nodeName: 'node-1' }));
    });
    const count = (service: string) =>
      addressesOf(
        slices(harness).filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service),
      ).length;
    expect([count('one'), count('two')]).toEqual([1, 0]);
    harness.client.put(resources.pods, buildPod({ name: 'p', labels: { app: 'two', tier: 'x' }, nodeName: 'node-1' }));
    await harness.settle();
    expect([count('one'), count('two')]).toEqual([0, 1]);
  });

  test('Services without selector and ExternalName Services are left alone', async () => {
    using harness = await run(({ client }) => {
      client.put(resources.services, buildService({ name: 'a', spec: { selector: undefined } }));
      client.put(resources.services, buildService({ name: 'b', type: 'ExternalName' }));
    });
    expect(slices(harness)).toEqual([]);
  });

  test('a slice that somebody deletes or edits is restored, hand-made slices are left alone (S15)', async () => {
    const own = buildEndpointSlice({ name: 'mine', endpoints: [{ addresses: ['192.0.2.1'] }] });
    using harness = await run(({ client }) => {
      client.put(resources.services, buildService());
      client.put(resources.pods, web('a', '10.244.0.1'));
      client.put(resources.endpointSlices, own);
    });
    const made = slices(harness).find(({ metadata }) => metadata?.name !== 'mine')!;
    harness.client.put(resources.endpointSlices, { ...made, endpoints: [] });
    await harness.settle();
    expect(addressesOf(slices(harness))).toEqual(['10.244.0.1', '192.0.2.1']);
    harness.client.remove(resources.endpointSlices, keyOf(made));
    await harness.settle();
    expect(addressesOf(slices(harness))).toEqual(['10.244.0.1', '192.0.2.1']);
  });

  test('a pod of a node that comes later becomes an endpoint then, and a zone label is followed', async () => {
    using harness = await run(({ client }) => {
      client.put(resources.services, buildService());
      client.put(resources.pods, buildPod({ name: 'p', labels: { app: 'web' }, nodeName: 'late' }));
    });
    expect(addressesOf(slices(harness))).toEqual([]);
    harness.client.put(resources.nodes, buildNode({ name: 'late' }));
    await harness.settle();
    expect(slices(harness)[0]?.endpoints?.[0]).not.toHaveProperty('zone');
    harness.client.put(resources.nodes, buildNode({ name: 'late', zone: 'z' }));
    await harness.settle();
    expect(slices(harness)[0]?.endpoints?.[0]?.zone).toBe('z');
  });

  test('the time of the change that made it necessary stands on what is written', async () => {
    using harness = await run(({ client }) => client.put(resources.services, buildService()));
    await harness.clock.step(5000);
    const pod = web('a', '10.244.0.1');
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:04Z' }];
    harness.client.put(resources.pods, { ...pod, status: { ...pod.status, conditions } });
    await harness.settle();
    expect(slices(harness)[0]?.metadata?.annotations).toEqual({
      'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:04Z',
    });
  });

  test('with a batch period changes of pods wait for each other', async () => {
    using harness = await run(({ client }) => client.put(resources.services, buildService()), { batchPeriodMs: 100 });
    harness.client.put(resources.pods, web('a', '10.244.0.1'));
    await harness.settle();
    expect(addressesOf(slices(harness))).toEqual([]);
    await harness.clock.step(100);
    expect(addressesOf(slices(harness))).toEqual(['10.244.0.1']);
  });

  test('writes that fail are tried again', async () => {
    let failures = 3;
    using harness = await run(({ client }) => {
      client.put(resources.services, buildService());
      client.put(resources.pods, web('a', '10.244.0.1'));
      client.react(({ verb }) =>
        verb === 'create' && failures-- > 0 ? new ApiStatusError('InternalError', 'disk full') : undefined,
      );
    });
    await harness.clock.step(1000);
    expect(addressesOf(slices(harness))).toEqual(['10.244.0.1']);
    expect(harness.failures).toHaveLength(3);
  });
});

// Random histories of pods, Services and nodes: whatever the order of events, and however often the watch breaks, the slices
// in the end say exactly what a computation from scratch says.
describe('convergence', () => {
  const APPS = ['web', 'db'];
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('pod'),
        id: fc.nat(11),
        app: fc.nat(1),
        ready: fc.boolean(),
        node: fc.nat(2),
        port: fc.nat(1),
        ending: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove-pod'), id: fc.nat(11) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('service'),
        id: fc.nat(1),
        target: fc.constantFrom(80, 81, 'named'),
        publish: fc.boolean(),
        families: fc.constantFrom(['IPv4'], ['IPv4', 'IPv6']),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('node'), id: fc.nat(2), zone: fc.constantFrom(undefined, 'a', 'b') }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove-slice'), id: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'break' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'settle' as const }) },
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  const doStep = async (harness: ControllerHarness, current: Step): Promise<void> => {
    const { client } = harness;
    if (current.kind === 'pod' && 'port' in current) {
      const { id, app, ready, node, port, ending } = current;
      client.put(
        resources.pods,
        buildPod({
          name: `p${id}`,
          uid: `p${id}`,
          labels: { app: APPS[app]! },
          nodeName: `node-${node}`,
          ready,
          ips: [`10.244.0.${id}`, `fd00::${id + 1}`],
          ports: [{ name: 'named', containerPort: 8000 + port }],
          ...(ending ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
        }),
      );
    } else if (current.kind === 'remove-pod' && 'id' in current)
      client.remove(resources.pods, `default/p${current.id}`);
    else if (current.kind === 'service' && 'target' in current) {
      const name = APPS[current.id]!;
      client.put(
        resources.services,
        buildService({
          name,
          uid: name,
          selector: { app: name },
          ports: [{ port: 80, protocol: 'TCP', targetPort: current.target }],
          spec: { publishNotReadyAddresses: current.publish, ipFamilies: current.families },
        }),
      );
    } else if (current.kind === 'node' && 'zone' in current) {
      client.put(
        resources.nodes,
        buildNode({ name: `node-${current.id}`, ...(current.zone ? { zone: current.zone } : {}) }),
      );
    } else if (current.kind === 'remove-slice' && 'id' in current) {
      const slice = client.all(resources.endpointSlices)[current.id];
      if (slice) client.remove(resources.endpointSlices, keyOf(slice));
    } else if (current.kind === 'break') client.endWatches(new Error('reset'));
    else await harness.settle();
  };

  // From scratch, and in other words than the controller: one line for each endpoint and port.
  const expected = ({ client }: ControllerHarness, service: Service): string[] =>
    client
      .all(resources.pods)
      .flatMap((pod) => {
        const node = client.peek(resources.nodes, pod.spec!.nodeName!);
        if (!hasLabels(service.spec!.selector!, pod.metadata?.labels)) return [];
        if (!node && !service.spec?.publishNotReadyAddresses) return [];
        const ready = pod.status?.conditions?.[0]?.status === 'True';
        const ending = pod.metadata?.deletionTimestamp !== undefined;
        const { targetPort } = service.spec!.ports![0]!;
        const port = targetPort === 'named' ? pod.spec?.containers[0]?.ports?.[0]?.containerPort : targetPort;
        const zone = node?.metadata?.labels?.['topology.kubernetes.io/zone'];
        const state = [service.spec?.publishNotReadyAddresses || (ready && !ending), ready, ending].join();
        const ips = pod.status!.podIPs!.filter(({ ip }) =>
          service.spec!.ipFamilies!.includes(ip.includes(':') ? 'IPv6' : 'IPv4'),
        );
        return ips.map(({ ip }) => `${ip} ${port} ${state} ${pod.spec?.nodeName} ${zone}`);
      })
      .sort();
  const actual = (harness: ControllerHarness, service: Service): string[] =>
    slices(harness)
      .filter(({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service.metadata?.name)
      .flatMap(({ endpoints = [], ports = [] }) =>
        endpoints.map(({ addresses, conditions, nodeName, zone }) => {
          const state = [conditions?.ready, conditions?.serving, conditions?.terminating].join();
          return `${addresses[0]} ${ports[0]?.port} ${state} ${nodeName} ${zone}`;
        }),
      )
      .sort();

  test('the slices equal a computation from scratch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (history) => {
        using harness = await run(() => {}, { maxEndpointsPerSlice: 3 });
        for (const current of history) await doStep(harness, current);
        await harness.clock.step(10_000);
        await harness.settle();
        for (const service of harness.client.all(resources.services)) {
          expect(actual(harness, service)).toEqual(expected(harness, service));
          const own = slices(harness).filter(
            ({ metadata }) => metadata?.labels?.['kubernetes.io/service-name'] === service.metadata?.name,
          );
          for (const { endpoints = [] } of own) expect(endpoints.length).toBeLessThanOrEqual(3);
        }
        expect(harness.failures).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
