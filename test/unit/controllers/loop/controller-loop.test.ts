import { describe, expect, test } from 'vitest';
import { ControllerLoop } from '../../../../src/controllers/loop/controller-loop.ts';
import type { Pod } from '../../../../src/kube/generated/types.ts';
import { keyOf, resources } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { buildPod } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

async function run(reconcile: (key: string, loop: ControllerLoop, harness: ControllerHarness) => Promise<void>) {
  const harness = new ControllerHarness();
  const keys: string[] = [];
  await harness.start((context) => {
    const loop: ControllerLoop = new ControllerLoop(context, {
      name: 'test',
      reconcile: async (key) => {
        keys.push(key);
        await reconcile(key, loop, harness);
      },
    });
    return loop.watch(context.informers.for(resources.pods), (pod) => [keyOf(pod)]);
  });
  return { harness, keys, [Symbol.dispose]: () => harness[Symbol.dispose]() };
}

describe('controller loop', () => {
  test('nothing is reconciled before all first lists are in', async () => {
    using harness = new ControllerHarness();
    harness.client.put(resources.pods, buildPod());
    let nodesSynced: boolean | undefined;
    await harness.start((context) => {
      const nodes = context.informers.for(resources.nodes);
      const loop = new ControllerLoop(context, {
        name: 'test',
        reconcile: async () => {
          nodesSynced = nodes.hasSynced;
        },
      });
      return loop.watch(context.informers.for(resources.pods), (pod) => [keyOf(pod)]);
    });
    expect(nodesSynced).toBe(true);
  });

  test('a key whose writes have not come back is not reconciled', async () => {
    const seen: (string | undefined)[] = [];
    using world = await run(async (key, loop, { client, informers }) => {
      const pods = informers.for(resources.pods);
      const pod: Pod = pods.get(key)!;
      seen.push(pod.metadata?.labels?.['n']);
      const n = Number(pod.metadata?.labels?.['n'] ?? 0);
      if (n >= 3) return;
      const metadata = { ...pod.metadata, labels: { n: String(n + 1) } };
      loop.fence.expectWritten(key, pods, await client.update(resources.pods, { ...pod, metadata }));
      loop.enqueue(key);
    });
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.settle();
    expect(seen).toEqual([undefined, '1', '2', '3']);
  });

  test('a failure is told and tried again, a race is tried again in silence', async () => {
    const errors = [
      new ApiStatusError('InternalError', 'disk full'),
      new ApiStatusError('Conflict', 'stale'),
      new ApiStatusError('NotFound', 'gone'),
    ];
    using world = await run(async () => {
      const error = errors.shift();
      if (error) throw error;
    });
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.clock.step(1000);
    expect(world.keys).toHaveLength(4);
    expect(world.harness.failures).toMatchObject([
      { controller: 'test', key: 'default/pod', error: { message: 'disk full' } },
    ]);
  });

  test('is idle when all is done, and not while it waits for a retry or for the time that it set itself', async () => {
    let left = 2;
    using world = await run(async (key, loop) => {
      left--;
      if (left === 1) throw new ApiStatusError('Conflict', 'stale');
      if (left === 0) loop.enqueueAfter(key, 500);
      else loop.enqueueAfter(key, 60_000);
    });
    const { client, clock, workers } = world.harness;
    const idle = () => [...workers].every(({ isIdle }) => isIdle);
    expect(idle()).toBe(true);
    client.put(resources.pods, buildPod());
    await world.harness.settle();
    expect([left, idle()]).toEqual([1, false]);
    await clock.step(100);
    expect([left, idle()]).toEqual([0, false]);
    await clock.step(1000);
    expect([left, idle()]).toEqual([-1, true]);
  });

  test('a race that does not end is told', async () => {
    using world = await run(async () => {
      throw new ApiStatusError('Conflict', 'stale');
    });
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.clock.step(60_000);
    expect(world.harness.failures.length).toBeGreaterThan(0);
  });

  test('a key that chases itself leaves time for others', async () => {
    using world = await run(async (key, loop) => loop.enqueue(key));
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.settle();
    const first = world.keys.length;
    expect(first).toBeLessThan(1000);
    await world.harness.clock.step(2000);
    expect(world.keys.length).toBeGreaterThan(first);
  });

  test('of several delays the shortest counts, once', async () => {
    let times = 0;
    using world = await run(async (key, loop) => {
      if (times++ > 0) return;
      loop.enqueueAfter(key, 500);
      loop.enqueueAfter(key, 100);
      loop.enqueueAfter(key, 300);
    });
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.clock.step(150);
    expect(world.keys).toHaveLength(2);
    await world.harness.clock.step(1000);
    expect(world.keys).toHaveLength(2);
  });

  // Each run takes 10 ms of a share of one in five.
  async function runSlowly() {
    const harness = new ControllerHarness();
    const runs: number[] = [];
    const now = (): number => harness.clock.now() + runs.length * 10;
    await harness.start((context) => {
      const clock = { now, schedule: harness.clock.schedule.bind(harness.clock) };
      const loop: ControllerLoop = new ControllerLoop(
        { ...context, clock },
        {
          name: 'test',
          timeShare: 0.2,
          reconcile: async (key) => {
            loop.timed(key, () => runs.push(harness.clock.now()));
          },
        },
      );
      return loop.watch(context.informers.for(resources.pods), (pod) => [keyOf(pod)]);
    });
    return { harness, runs, [Symbol.dispose]: () => harness[Symbol.dispose]() };
  }

  test('a key that takes long leaves the greater part of the time to others while changes keep coming', async () => {
    using world = await runSlowly();
    for (let at = 0; at < 400; at += 5) {
      world.harness.client.put(resources.pods, buildPod());
      await world.harness.clock.step(5);
    }
    expect(world.runs.length).toBeGreaterThan(7);
    expect(world.runs.length).toBeLessThan(12);
  });

  test('a key that takes long is looked at soon when changes cease', async () => {
    using world = await runSlowly();
    for (let change = 0; change < 3; change++) {
      world.harness.client.put(resources.pods, buildPod());
      await world.harness.clock.step(1);
    }
    expect(world.runs).toHaveLength(1);
    await world.harness.clock.step(30);
    expect(world.runs).toHaveLength(2);
    await world.harness.clock.step(1000);
    expect(world.runs).toHaveLength(2);
  });

  test('nothing runs after disposal', async () => {
    const world = await run(async (key, loop) => loop.enqueueAfter(key, 100));
    world.harness.client.put(resources.pods, buildPod());
    await world.harness.settle();
    world[Symbol.dispose]();
    const runs = world.keys.length;
    await world.harness.clock.step(1000);
    expect(world.keys).toHaveLength(runs);
    expect(world.harness.clock.pending).toBe(0);
  });
});
