import { describe, expect, test } from 'vitest';
import type { Affinity, Node, Pod, PodSpec } from '../../../src/kube/generated/types.ts';
import { keyOf } from '../../../src/kube/resources.ts';
import { chooseNode } from '../../../src/scheduler/choose-node.ts';
import { ClusterState } from '../../../src/scheduler/cluster-state.ts';
import { buildNode, buildPod, type NodeOptions, type PodOptions } from '../../helpers/build-objects.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

function cluster(nodes: readonly Node[], placed: readonly Pod[] = []): ClusterState {
  const state = new ClusterState();
  for (const node of nodes) state.setNode(node.metadata!.name!, node);
  for (const pod of placed) state.setPod(keyOf(pod), pod);
  return state;
}
const node = (name: string, options: NodeOptions = {}): Node => buildNode({ name, ...options });
const size = (allocatable: Record<string, string>): NodeOptions => ({ status: { allocatable } });
const asking = (requests: Record<string, string>): Partial<PodSpec> => ({
  containers: [{ name: 'main', image: 'x', resources: { requests } }],
});
const choose = (state: ClusterState, options: PodOptions = {}) =>
  chooseNode(buildPod({ name: 'new', ...options }), state, seededRandom());
const app = (name: string, nodeName: string, options: PodOptions = {}) =>
  buildPod({ name, nodeName, labels: { app: 'web' }, ...options });

describe('a node is ruled out', () => {
  test.each<[string, NodeOptions, PodOptions, string]>([
    ['when it is cordoned', { spec: { unschedulable: true } }, {}, 'node(s) were unschedulable'],
    [
      'by a taint',
      { spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } },
      {},
      'node(s) had untolerated taint {k: v}',
    ],
    [
      'by a taint without value',
      { spec: { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] } },
      {},
      'node(s) had untolerated taint {node.kubernetes.io/not-ready: }',
    ],
    [
      'by nodeSelector',
      {},
      { spec: { nodeSelector: { disk: 'ssd' } } },
      "node(s) didn't match Pod's node affinity/selector",
    ],
    ['by cpu', size({ cpu: '1', memory: '1Gi', pods: '10' }), { spec: asking({ cpu: '1100m' }) }, 'Insufficient cpu'],
    [
      'by a resource it does not have',
      {},
      { spec: asking({ 'example.com/gpu': '1' }) },
      'Insufficient example.com/gpu',
    ],
    ['when it is full', size({ cpu: '1', memory: '1Gi', pods: '0' }), {}, 'Too many pods'],
  ])('%s', (_why, nodeOptions, podOptions, reason) => {
    expect(choose(cluster([node('a', nodeOptions)]), podOptions)).toEqual({
      failure: `0/1 nodes are available: 1 ${reason}.`,
    });
  });

  test('for several resources at once, and reasons are counted over the nodes', () => {
    const small = size({ cpu: '1', memory: '1Mi', pods: '10' });
    const state = cluster([node('a', small), node('b', small), node('c', { spec: { unschedulable: true } })]);
    expect(choose(state, { spec: asking({ cpu: '2', memory: '2Mi' }) })).toEqual({
      failure: '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu, 2 Insufficient memory.',
    });
  });

  test('by what its pods have taken already, the largest init container and overhead included', () => {
    const nodes = [node('a', size({ cpu: '2', memory: '1Gi', pods: '10' }))];
    const taken = buildPod({ name: 'x', nodeName: 'a', spec: asking({ cpu: '1500m' }) });
    expect(choose(cluster(nodes, [taken]), { spec: asking({ cpu: '500m' }) })).toEqual({ node: 'a' });
    expect(
      choose(cluster(nodes, [taken]), { spec: { ...asking({ cpu: '500m' }), overhead: { cpu: '1m' } } }),
    ).toHaveProperty('failure');
    const initContainers = [{ name: 'i', image: 'x', resources: { requests: { cpu: '600m' } } }];
    expect(choose(cluster(nodes, [taken]), { spec: { ...asking({ cpu: '100m' }), initContainers } })).toHaveProperty(
      'failure',
    );
  });

  test('but not by pods that have ended', () => {
    const nodes = [node('a', size({ cpu: '1', memory: '1Gi', pods: '1' }))];
    expect(choose(cluster(nodes, [buildPod({ name: 'x', nodeName: 'a', phase: 'Succeeded' })]))).toEqual({ node: 'a' });
  });

  test('and a toleration lets the pod in again', () => {
    const state = cluster([node('a', { spec: { unschedulable: true, taints: [{ key: 'k', effect: 'NoSchedule' }] } })]);
    expect(choose(state, { spec: { tolerations: [{ operator: 'Exists' }] } })).toEqual({ node: 'a' });
  });

  test('no node at all is told apart', () => {
    expect(choose(cluster([]))).toEqual({ failure: 'no nodes available to schedule pods' });
  });
});

describe('host ports (N14)', () => {
  const port = (hostPort: number, hostIP?: string, protocol?: string): PodOptions => ({
    ports: [{ containerPort: 80, hostPort, ...(hostIP ? { hostIP } : {}), ...(protocol ? { protocol } : {}) }],
  });
  const taken = (options: PodOptions) => cluster([node('a')], [buildPod({ name: 'x', nodeName: 'a', ...options })]);
  const conflict = {
    failure: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  };

  test.each<[string, PodOptions, PodOptions, boolean]>([
    ['the same port', port(8080), port(8080), false],
    ['another address', port(8080, '10.0.0.1'), port(8080, '10.0.0.2'), true],
    ['another protocol', port(8080), port(8080, undefined, 'UDP'), true],
    ['every address and one', port(8080), port(8080, '10.0.0.2'), false],
    [
      'a container port on the host network',
      { ports: [{ containerPort: 8080 }], spec: { hostNetwork: true } },
      port(8080),
      false,
    ],
  ])('%s', (_what, one, other, fits) => {
    const choice = choose(taken(one), other);
    expect(choice).toEqual(fits ? { node: 'a' } : conflict);
  });
});

describe('neighbours', () => {
  const zones = [node('a1', { zone: 'a' }), node('a2', { zone: 'a' }), node('b1', { zone: 'b' })];
  const term = (topologyKey: string, labels: Record<string, string> = { app: 'web' }) => ({
    topologyKey,
    labelSelector: { matchLabels: labels },
  });
  const ZONE = 'topology.kubernetes.io/zone';
  const HOST = 'kubernetes.io/hostname';
  const near = (...terms: object[]): Affinity => ({
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms as never },
  });
  const far = (...terms: object[]): Affinity => ({
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms as never },
  });

  test('affinity goes to the zone of a matching pod', () => {
    const state = cluster(zones, [app('x', 'b1')]);
    expect(choose(state, { spec: { affinity: near(term(ZONE)) } })).toEqual({ node: 'b1' });
  });

  test('affinity to nobody there fails, except for the first of a group that is its own neighbour', () => {
    const affinity = near(term(ZONE));
    expect(choose(cluster(zones), { spec: { affinity } })).toEqual({
      failure: "0/3 nodes are available: 3 node(s) didn't match pod affinity rules.",
    });
    expect(choose(cluster(zones), { labels: { app: 'web' }, spec: { affinity } })).toHaveProperty('node');
  });

  test('anti-affinity avoids nodes of matching pods, and existing pods refuse newcomers likewise', () => {
    const affinity = far(term(HOST));
    const state = cluster(zones, [app('x', 'a1'), app('y', 'a2')]);
    expect(choose(state, { spec: { affinity } })).toEqual({ node: 'b1' });
    const refusing = cluster([node('a1')], [app('x', 'a1', { labels: { db: '1' }, spec: { affinity } })]);
    expect(choose(refusing, { labels: { app: 'web' } })).toEqual({
      failure: "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    });
    expect(choose(refusing, { labels: { app: 'other' } })).toEqual({ node: 'a1' });
  });

  test('other namespaces count only when they are named or selected', () => {
    const state = cluster(zones, [app('x', 'b1', { namespace: 'other' })]);
    state.setNamespace('other', { team: 'x' });
    expect(choose(state, { spec: { affinity: near(term(ZONE)) } })).toHaveProperty('failure');
    expect(choose(state, { spec: { affinity: near({ ...term(ZONE), namespaces: ['other'] }) } })).toEqual({
      node: 'b1',
    });
    expect(
      choose(state, { spec: { affinity: near({ ...term(ZONE), namespaceSelector: { matchLabels: { team: 'x' } } }) } }),
    ).toEqual({ node: 'b1' });
  });

  test('preferences tip the scales', () => {
    const preferred = [{ weight: 100, podAffinityTerm: term(HOST) }];
    const state = cluster(zones, [app('x', 'a2')]);
    expect(
      choose(state, {
        spec: { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } } },
      }),
    ).toEqual({ node: 'a2' });
    const preference = { matchExpressions: [{ key: ZONE, operator: 'In', values: ['b'] }] };
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] };
    expect(choose(cluster(zones), { spec: { affinity: { nodeAffinity } } })).toEqual({ node: 'b1' });
  });
});

describe('spreading', () => {
  const zones = [node('a1', { zone: 'a' }), node('a2', { zone: 'a' }), node('b1', { zone: 'b' })];
  const constraint = (extra: object = {}) => ({
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'web' } },
        ...extra,
      },
    ],
  });

  test('maxSkew sends the next pod to the emptier zone', () => {
    const state = cluster(zones, [app('x', 'a1')]);
    for (let i = 0; i < 5; i++)
      expect(choose(state, { labels: { app: 'web' }, spec: constraint() })).toEqual({ node: 'b1' });
  });

  test('a zone that is out of the question does not count, unless the policy says so', () => {
    const state = cluster(zones, [app('x', 'a1')]);
    const spec = { ...constraint(), nodeSelector: { 'topology.kubernetes.io/zone': 'a' } };
    expect(choose(state, { labels: { app: 'web' }, spec })).toHaveProperty('node');
    const strict = {
      ...constraint({ nodeAffinityPolicy: 'Ignore' }),
      nodeSelector: { 'topology.kubernetes.io/zone': 'a' },
    };
    expect(choose(state, { labels: { app: 'web' }, spec: strict })).toEqual({
      failure:
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) didn't match pod topology spread constraints.",
    });
  });

  test('a node without the label cannot be used', () => {
    expect(choose(cluster([node('a')]), { labels: { app: 'web' }, spec: constraint() })).toEqual({
      failure:
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    });
  });

  test('minDomains counts missing zones as empty', () => {
    const state = cluster([node('a1', { zone: 'a' })], [app('x', 'a1')]);
    expect(choose(state, { labels: { app: 'web' }, spec: constraint() })).toEqual({ node: 'a1' });
    expect(choose(state, { labels: { app: 'web' }, spec: constraint({ minDomains: 2 }) })).toHaveProperty('failure');
  });

  test('ScheduleAnyway only prefers', () => {
    const state = cluster([node('a1', { zone: 'a' }), node('b1', { zone: 'b' })], [app('x', 'a1')]);
    const spec = constraint({ whenUnsatisfiable: 'ScheduleAnyway' });
    expect(choose(state, { labels: { app: 'web' }, spec })).toEqual({ node: 'b1' });
  });

  test('pods of one controller spread over the nodes by themselves', () => {
    const nodes = ['a', 'b', 'c'].map((name) => node(name));
    const state = cluster(nodes);
    const random = seededRandom();
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u', controller: true }];
    const counts = new Map<string, number>();
    for (let i = 0; i < 9; i++) {
      const pod = buildPod({ name: `p${i}`, ownerReferences });
      const choice = chooseNode(pod, state, random);
      if (!('node' in choice)) throw new Error(choice.failure);
      state.assume(pod, choice.node);
      counts.set(choice.node, (counts.get(choice.node) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual([3, 3, 3]);
  });

  test('equally good nodes are chosen by chance, and the emptier one otherwise', () => {
    const nodes = ['a', 'b'].map((name) => node(name));
    const random = seededRandom(7);
    const chosen = Array.from({ length: 20 }, () => chooseNode(buildPod(), cluster(nodes), random)).map(
      (choice) => 'node' in choice && choice.node,
    );
    expect(new Set(chosen)).toEqual(new Set(['a', 'b']));
    expect(choose(cluster(nodes, [buildPod({ name: 'x', nodeName: 'a' })]))).toEqual({ node: 'b' });
  });

  test('a PreferNoSchedule taint is avoided but not binding', () => {
    const avoided = node('a', { spec: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] } });
    expect(choose(cluster([avoided, node('b')]))).toEqual({ node: 'b' });
    expect(choose(cluster([avoided]))).toEqual({ node: 'a' });
  });
});
