import { describe, expect, test } from 'vitest';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../src/kube/status.ts';
import { startScheduler } from '../../../src/scheduler/start-scheduler.ts';
import { buildNode, buildPod, type PodOptions } from '../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock, settled } from '../../helpers/stepped-clock.ts';

async function run(prepare: (client: FakeKubeClient) => void = () => {}) {
  const clock = new SteppedClock();
  const client = new FakeKubeClient(clock);
  prepare(client);
  const failures: unknown[] = [];
  const informers = new SharedInformers(client, clock);
  const scheduler = await startScheduler({
    client,
    informers,
    clock,
    random: seededRandom(),
    onError: (failure) => failures.push(failure),
  });
  await settled();
  const nodeOf = (name: string) => client.peek(resources.pods, `default/${name}`)?.spec?.nodeName;
  const events = async () => {
    await clock.step(50);
    return client.all(resources.events).map(({ reason, message }) => `${reason} ${message}`);
  };
  const end = async () => {
    await scheduler[Symbol.asyncDispose]();
    informers[Symbol.dispose]();
  };
  return { clock, client, failures, nodeOf, events, [Symbol.asyncDispose]: end };
}
const pending = (name: string, options: PodOptions = {}) => buildPod({ name, ...options });

describe('scheduler', () => {
  test('binds waiting and new pods and says so', async () => {
    await using world = await run((client) => {
      client.put(resources.nodes, buildNode());
      client.put(resources.pods, pending('early'));
    });
    world.client.put(resources.pods, pending('late'));
    await settled();
    expect([world.nodeOf('early'), world.nodeOf('late')]).toEqual(['node-1', 'node-1']);
    expect(await world.events()).toEqual([
      'Scheduled Successfully assigned default/early to node-1',
      'Scheduled Successfully assigned default/late to node-1',
    ]);
  });

  test.each<[string, PodOptions]>([
    ['another scheduler', { spec: { schedulerName: 'mine' } }],
    ['scheduling gates', { spec: { schedulingGates: [{ name: 'x' }] } }],
    ['a deletion mark', { deletionTimestamp: '2026-01-01T00:00:00Z' }],
    ['a finished phase', { phase: 'Failed' }],
  ])('leaves a pod with %s alone', async (_what, options) => {
    await using world = await run((client) => client.put(resources.nodes, buildNode()));
    world.client.put(resources.pods, pending('a', options));
    await settled();
    expect(world.nodeOf('a')).toBeUndefined();
  });

  test('a pod that fits nowhere says why once, and is placed as soon as it fits', async () => {
    await using world = await run((client) =>
      client.put(resources.nodes, buildNode({ spec: { unschedulable: true } })),
    );
    world.client.put(resources.pods, pending('a'));
    await settled();
    expect(world.client.peek(resources.pods, 'default/a')?.status?.conditions).toContainEqual({
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/1 nodes are available: 1 node(s) were unschedulable.',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
    for (let i = 0; i < 5; i++) {
      world.client.put(resources.nodes, buildNode({ labels: { turn: String(i) }, spec: { unschedulable: true } }));
      await world.clock.step(100);
    }
    expect(await world.events()).toEqual(['FailedScheduling 0/1 nodes are available: 1 node(s) were unschedulable.']);
    expect(world.client.actions.filter(({ verb }) => verb === 'patch')).toHaveLength(1);
    world.client.put(resources.nodes, buildNode());
    await settled();
    expect(world.nodeOf('a')).toBe('node-1');
    expect(world.clock.now() - Date.UTC(2026, 0, 1)).toBe(550);
  });

  test('room that a deleted pod leaves is used', async () => {
    const full = buildNode({ status: { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } } });
    await using world = await run((client) => {
      client.put(resources.nodes, full);
      client.put(resources.pods, buildPod({ name: 'old', nodeName: 'node-1' }), pending('new'));
    });
    expect(world.nodeOf('new')).toBeUndefined();
    world.client.remove(resources.pods, 'default/old');
    await settled();
    expect(world.nodeOf('new')).toBe('node-1');
  });

  test('pods placed in one go do not share what only one of them can have', async () => {
    const small = { status: { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } } };
    await using world = await run((client) => {
      client.put(resources.nodes, ...['a', 'b'].map((name) => buildNode({ name, ...small })));
      client.put(resources.pods, pending('1'), pending('2'), pending('3'));
    });
    expect(['1', '2', '3'].map(world.nodeOf).sort()).toEqual(['a', 'b', undefined]);
  });

  test('higher priority goes first', async () => {
    await using world = await run((client) => {
      client.put(resources.nodes, buildNode({ status: { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } } }));
      client.put(resources.pods, pending('low'), pending('high', { spec: { priority: 10 } }));
    });
    expect([world.nodeOf('low'), world.nodeOf('high')]).toEqual([undefined, 'node-1']);
  });

  test('a binding that fails is told and tried again, and its room is free until then', async () => {
    let failures = 1;
    await using world = await run((client) => {
      client.put(resources.nodes, buildNode({ status: { allocatable: { cpu: '1', memory: '1Gi', pods: '1' } } }));
      client.react(({ subresource }) =>
        subresource === 'binding' && failures-- > 0 ? new ApiStatusError('InternalError', 'disk full') : undefined,
      );
      client.put(resources.pods, pending('a'));
    });
    expect(world.nodeOf('a')).toBeUndefined();
    expect(world.failures).toMatchObject([{ key: 'default/a', error: { message: 'disk full' } }]);
    await world.clock.step(200);
    expect(world.nodeOf('a')).toBe('node-1');
  });

  test('a pod that is deleted while it is being bound does no harm', async () => {
    await using world = await run((client) => {
      client.put(resources.nodes, buildNode());
      client.react(({ subresource }) => {
        if (subresource === 'binding') client.remove(resources.pods, 'default/a');
        return undefined;
      });
      client.put(resources.pods, pending('a'));
    });
    expect(world.failures).toEqual([]);
    expect(world.nodeOf('a')).toBeUndefined();
  });

  test('a gate that is lifted lets the pod go', async () => {
    await using world = await run((client) => client.put(resources.nodes, buildNode()));
    world.client.put(resources.pods, pending('a', { spec: { schedulingGates: [{ name: 'x' }] } }));
    await settled();
    world.client.put(resources.pods, pending('a'));
    await settled();
    expect(world.nodeOf('a')).toBe('node-1');
  });

  test('a toleration added later counts at once', async () => {
    await using world = await run((client) =>
      client.put(resources.nodes, buildNode({ spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } })),
    );
    world.client.put(resources.pods, pending('a'));
    await settled();
    world.client.put(resources.pods, pending('a', { spec: { tolerations: [{ key: 'k', operator: 'Exists' }] } }));
    await settled();
    expect(world.nodeOf('a')).toBe('node-1');
  });

  test('a thousand pods are placed evenly on twenty nodes', async () => {
    await using world = await run((client) => {
      for (let i = 0; i < 20; i++) client.put(resources.nodes, buildNode({ name: `n${i}` }));
      const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'u', controller: true }];
      for (let i = 0; i < 1000; i++) client.put(resources.pods, pending(`p${i}`, { ownerReferences }));
    });
    await world.clock.step(50);
    const counts = new Map<string | undefined, number>();
    for (const { spec } of world.client.all(resources.pods))
      counts.set(spec?.nodeName, (counts.get(spec?.nodeName) ?? 0) + 1);
    expect([...counts.values()]).toEqual(Array(20).fill(50));
  });
});
