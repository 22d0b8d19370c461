import { describe, expect, test } from 'vitest';
import { planServiceSlices } from '../../../../src/controllers/endpoint-slice/plan-service-slices.ts';
import type { Endpoint, EndpointSlice, Node, Pod, Service } from '../../../../src/kube/generated/types.ts';
import {
  buildNode,
  buildPod,
  buildService,
  type PodOptions,
  type ServiceOptions,
} from '../../../helpers/build-objects.ts';

const service = (options: ServiceOptions = {}): Service => buildService({ uid: 'svc', ...options });
const pod = (options: PodOptions = {}): Pod =>
  buildPod({ uid: options.name ?? 'pod', nodeName: 'node-1', labels: { app: 'web' }, ...options });
const nodes = new Map<string, Node>([
  ['node-1', buildNode({ zone: 'a' })],
  ['node-2', buildNode({ name: 'node-2', zone: 'b' })],
  ['node-3', buildNode({ name: 'node-3' })],
]);
const plan = (svc: Service, pods: readonly Pod[], existing: readonly EndpointSlice[] = []) =>
  planServiceSlices({ service: svc, pods, nodeOf: (name) => nodes.get(name) }, existing);
/** Carries a plan out: what the slices are afterwards. */
let serial = 0;
function apply(
  existing: readonly EndpointSlice[],
  { create, update, remove }: ReturnType<typeof plan>,
): EndpointSlice[] {
  const gone = new Set([...update, ...remove].map(({ metadata }) => metadata?.name));
  const created = create.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: `web-${++serial}` } }));
  return [...existing.filter(({ metadata }) => !gone.has(metadata?.name)), ...update, ...created];
}
const only = (svc: Service, pods: readonly Pod[]): EndpointSlice => {
  const { create } = plan(svc, pods);
  expect(create).toHaveLength(1);
  return create[0]!;
};
const endpoint = (svc: Service, thePod: Pod): Endpoint => only(svc, [thePod]).endpoints![0]!;
const named = (n: number, options: PodOptions = {}): Pod =>
  pod({ name: `p${n}`, ips: [`10.244.${n >> 8}.${n & 255}`], ...options });

describe('an EndpointSlice', () => {
  test('belongs to its Service, has its labels and says who made it', () => {
    const slice = only(service({ name: 'web', labels: { team: 'x', 'kubernetes.io/service-name': 'lie' } }), [pod()]);
    expect(slice).toMatchObject({
      metadata: {
        generateName: 'web-',
        namespace: 'default',
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'svc', controller: true, blockOwnerDeletion: true },
        ],
      },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    });
    expect(slice.metadata?.labels).toEqual({
      team: 'x',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    });
  });

  test('of a headless Service carries the headless label (S04)', () => {
    expect(only(service({ clusterIP: 'None' }), [pod()]).metadata?.labels).toHaveProperty(
      ['service.kubernetes.io/headless'],
      '',
    );
  });

  test('names pod, node and zone of each endpoint', () => {
    expect(endpoint(service(), pod({ name: 'a', ips: ['10.244.0.5'] }))).toEqual({
      addresses: ['10.244.0.5'],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'a' },
      nodeName: 'node-1',
      zone: 'a',
    });
  });

  test('names the host of a pod whose subdomain is the Service (N03)', () => {
    const spec = { hostname: 'db-0', subdomain: 'web' };
    expect(endpoint(service({ clusterIP: 'None' }), pod({ spec }))).toMatchObject({ hostname: 'db-0' });
    expect(endpoint(service({ clusterIP: 'None' }), pod({ spec: { ...spec, subdomain: 'other' } }))).not.toHaveProperty(
      'hostname',
    );
  });

  test('without endpoints is one empty slice', () => {
    expect(only(service(), [])).toMatchObject({ endpoints: [], ports: [] });
  });
});

describe('conditions', () => {
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  test.each<[string, PodOptions, boolean, Endpoint['conditions']]>([
    ['a ready pod', {}, false, { ready: true, serving: true, terminating: false }],
    ['a pod that is not ready', { ready: false }, false, { ready: false, serving: false, terminating: false }],
    [
      'a terminating pod that still serves',
      { deletionTimestamp },
      false,
      { ready: false, serving: true, terminating: true },
    ],
    [
      'a terminating pod that does not',
      { deletionTimestamp, ready: false },
      false,
      { ready: false, serving: false, terminating: true },
    ],
    [
      'any pod with publishNotReadyAddresses (S12)',
      { ready: false },
      true,
      { ready: true, serving: false, terminating: false },
    ],
    [
      'a terminating pod with publishNotReadyAddresses',
      { deletionTimestamp },
      true,
      { ready: true, serving: true, terminating: true },
    ],
  ])('of %s', (_what, options, publishNotReadyAddresses, conditions) => {
    expect(endpoint(service({ spec: { publishNotReadyAddresses } }), pod(options)).conditions).toEqual(conditions);
  });

  test.each<[string, PodOptions]>([
    ['without an address', { ips: [] }],
    ['that has ended', { phase: 'Succeeded' }],
    ['that has failed', { phase: 'Failed' }],
    ['of a node that does not exist', { nodeName: 'gone' }],
  ])('a pod %s is no endpoint', (_what, options) => {
    expect(only(service(), [pod(options)]).endpoints).toEqual([]);
  });
});

describe('ports', () => {
  test('a named target port is looked up in each pod, and pods that differ get slices of their own (N40)', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'admin', port: 81, targetPort: 'admin' },
    ];
    const slices = plan(service({ ports }), [
      named(1, { ports: [{ name: 'web', containerPort: 8080 }] }),
      named(2, {
        ports: [
          { name: 'web', containerPort: 9090 },
          { name: 'admin', containerPort: 9091 },
        ],
      }),
    ]).create;
    expect(slices.map(({ ports: own, endpoints }) => [own, endpoints?.map(({ addresses }) => addresses[0])])).toEqual([
      [[{ name: 'http', port: 8080, protocol: 'TCP' }], ['10.244.0.1']],
      [
        [
          { name: 'http', port: 9090, protocol: 'TCP' },
          { name: 'admin', port: 9091, protocol: 'TCP' },
        ],
        ['10.244.0.2'],
      ],
    ]);
  });

  test('a name counts only with the right protocol', () => {
    const ports = [{ port: 53, protocol: 'UDP', targetPort: 'dns' }];
    const tcpOnly = pod({ ports: [{ name: 'dns', containerPort: 53, protocol: 'TCP' }] });
    expect(only(service({ ports }), [tcpOnly]).ports).toEqual([]);
  });

  test('a port name in a sidecar counts, in another init container not', () => {
    const ports = [{ port: 80, targetPort: 'web' }];
    const init = (restartPolicy?: string) => ({
      spec: {
        initContainers: [
          {
            name: 'i',
            image: 'x',
            ...(restartPolicy ? { restartPolicy } : {}),
            ports: [{ name: 'web', containerPort: 81 }],
          },
        ],
      },
    });
    expect(only(service({ ports }), [pod(init('Always'))]).ports).toEqual([{ name: '', port: 81, protocol: 'TCP' }]);
    expect(only(service({ ports }), [pod(init())]).ports).toEqual([]);
  });

  test('without targetPort the Service port is meant, and appProtocol is handed on', () => {
    expect(only(service({ ports: [{ port: 80, appProtocol: 'http' }] }), [pod()]).ports).toEqual([
      { name: '', port: 80, protocol: 'TCP', appProtocol: 'http' },
    ]);
  });

  test('a headless Service may have no ports', () => {
    expect(only(service({ clusterIP: 'None', ports: [] }), [pod()])).toMatchObject({ ports: [], endpoints: [{}] });
  });
});

describe('families', () => {
  const ips = ['10.244.0.5', 'FD00::0:5'];
  test('a dual stack Service has slices of both, a single stack one only its own (S11)', () => {
    const dual = plan(service({ spec: { ipFamilies: ['IPv6', 'IPv4'] } }), [pod({ ips })]).create;
    expect(dual.map(({ addressType, endpoints }) => [addressType, endpoints?.[0]?.addresses])).toEqual([
      ['IPv6', ['fd00::5']],
      ['IPv4', ['10.244.0.5']],
    ]);
    expect(only(service({ clusterIP: 'fd00::10' }), [pod({ ips })]).addressType).toBe('IPv6');
  });

  test('slices of a family that the Service gave up are removed', () => {
    const dual = service({ spec: { ipFamilies: ['IPv4', 'IPv6'] } });
    const existing = apply([], plan(dual, [pod({ ips })]));
    const { remove, create, update } = plan(service(), [pod({ ips })], existing);
    expect([remove.map(({ addressType }) => addressType), create, update]).toEqual([['IPv6'], [], []]);
  });
});

describe('hints (S10)', () => {
  const hints = (trafficDistribution: string, options: PodOptions = {}) =>
    endpoint(service({ spec: { trafficDistribution } }), pod(options)).hints;
  test.each(['PreferClose', 'PreferSameZone'])('%s hints at the zone', (distribution) => {
    expect(hints(distribution)).toEqual({ forZones: [{ name: 'a' }] });
    expect(hints(distribution, { nodeName: 'node-3' })).toBeUndefined();
    expect(hints(distribution, { ready: false })).toBeUndefined();
  });

  test('PreferSameNode hints at node and zone', () => {
    expect(hints('PreferSameNode')).toEqual({ forNodes: [{ name: 'node-1' }], forZones: [{ name: 'a' }] });
    expect(hints('PreferSameNode', { nodeName: 'node-3' })).toEqual({ forNodes: [{ name: 'node-3' }] });
  });

  test('they come and go with the field', () => {
    const preferring = service({ spec: { trafficDistribution: 'PreferClose' } });
    const existing = apply([], plan(preferring, [pod()]));
    expect(plan(service(), [pod()], existing).update[0]?.endpoints?.[0]).not.toHaveProperty('hints');
    expect(plan(preferring, [pod()], existing).update).toEqual([]);
  });
});

describe('slices of many endpoints (S15)', () => {
  const many = (from: number, to: number): Pod[] => Array.from({ length: to - from }, (_, i) => named(from + i));
  const sizes = (slices: readonly EndpointSlice[]) =>
    slices.map(({ endpoints }) => endpoints?.length).sort((a, b) => b! - a!);

  test('hold at most 100 endpoints each', () => {
    expect(sizes(plan(service(), many(0, 250)).create)).toEqual([100, 100, 50]);
  });

  test('nothing is written when nothing changed, in whatever order the pods come', () => {
    const existing = apply([], plan(service(), many(0, 250)));
    expect(plan(service(), many(0, 250).reverse(), existing)).toEqual({ create: [], update: [], remove: [] });
  });

  test('one pod that changes writes one slice', () => {
    const existing = apply([], plan(service(), many(0, 250)));
    const pods = [...many(0, 249), named(249, { ready: false })];
    const { create, update, remove } = plan(service(), pods, existing);
    expect([create.length, update.length, remove.length]).toEqual([0, 1, 0]);
  });

  test('new pods fill the slice that has room', () => {
    const existing = apply([], plan(service(), many(0, 150)));
    const after = plan(service(), many(0, 180), existing);
    expect([after.create.length, after.update.length]).toEqual([0, 1]);
    expect(sizes(apply(existing, after))).toEqual([100, 80]);
  });

  test('a slice that becomes empty is removed, but never the last one', () => {
    const existing = apply([], plan(service(), many(0, 150)));
    const fewer = plan(service(), many(0, 100), existing);
    expect([fewer.create.length, fewer.update.length, fewer.remove.length]).toEqual([0, 0, 1]);
    const none = apply(existing, plan(service(), [], existing));
    expect(none).toHaveLength(1);
    expect(none[0]).toMatchObject({ endpoints: [], ports: [] });
    expect(plan(service(), [], none)).toEqual({ create: [], update: [], remove: [] });
  });

  test('a change of port rewrites the slices instead of making new ones (N38)', () => {
    const existing = apply([], plan(service(), many(0, 50)));
    const { create, update, remove } = plan(
      service({ ports: [{ port: 80, targetPort: 9090 }] }),
      many(0, 50),
      existing,
    );
    expect([create.length, update.length, remove.length]).toEqual([0, 1, 0]);
    expect(update[0]?.metadata?.name).toBe(existing[0]?.metadata?.name);
  });

  test('an endpoint that somebody doubled or added by hand is taken out again', () => {
    const [first, second] = apply([], plan(service(), many(0, 120)));
    const spoiled = [
      first!,
      { ...second!, endpoints: [...second!.endpoints!, first!.endpoints![0]!, { addresses: ['192.0.2.1'] }] },
    ];
    const after = apply(spoiled, plan(service(), many(0, 120), spoiled));
    const addresses = after.flatMap(({ endpoints }) => endpoints!.map(({ addresses: [ip] }) => ip));
    expect(new Set(addresses).size).toBe(120);
    expect(addresses).toHaveLength(120);
  });

  test('slices of a Service of the same name that was deleted are removed', () => {
    const old = apply([], plan(service({ uid: 'old' }), [pod()]));
    const { create, update, remove } = plan(service(), [pod()], old);
    expect([create.length, update.length, remove.length]).toEqual([1, 0, 1]);
  });

  test('a Service that is being deleted gets no new slices', () => {
    expect(plan(service({ deletionTimestamp: '2026-01-01T00:00:00Z' }), [pod()]).create).toEqual([]);
  });
});
