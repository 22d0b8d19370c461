import { describe, expect, test } from 'vitest';
import { startNodeLifecycleController } from '../../../../src/controllers/node-lifecycle/node-lifecycle-controller.ts';
import {
  evictionTime,
  startTaintEvictionController,
} from '../../../../src/controllers/node-lifecycle/taint-eviction-controller.ts';
import type { Taint, Toleration } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { microTimestampOf } from '../../../../src/kube/timestamp.ts';
import { buildNode, buildPod } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

async function run(nodes = [buildNode(), buildNode({ name: 'node-2' })]) {
  const harness = new ControllerHarness();
  harness.client.put(resources.nodes, ...nodes);
  return harness.start(startNodeLifecycleController, startTaintEvictionController);
}
const beat = ({ client, clock }: ControllerHarness, name: string) =>
  client.put(resources.leases, {
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { renewTime: microTimestampOf(clock.now()) },
  });
const node = ({ client }: ControllerHarness, name = 'node-1') => client.peek(resources.nodes, name)!;
const taints = (harness: ControllerHarness, name?: string) =>
  (node(harness, name).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`);
const ready = (harness: ControllerHarness, name?: string) =>
  node(harness, name).status?.conditions?.find(({ type }) => type === 'Ready');
async function pass(harness: ControllerHarness, seconds: number, alive: readonly string[]) {
  for (let i = 0; i < seconds; i += 10) {
    for (const name of alive) beat(harness, name);
    await harness.clock.step(10_000);
  }
}

describe('node lifecycle', () => {
  test('a node that renews its lease stays as it is', async () => {
    using harness = await run();
    await pass(harness, 120, ['node-1', 'node-2']);
    expect(ready(harness)?.status).toBe('True');
    expect(taints(harness)).toEqual([]);
    expect(harness.client.actions.filter(({ verb }) => verb !== 'list')).toEqual([]);
  });

  test('a silent node becomes Unknown after the grace period, is tainted, and its pods stop being ready', async () => {
    using harness = await run();
    harness.client.put(
      resources.pods,
      buildPod({ name: 'p', nodeName: 'node-1', spec: { tolerations: [{ operator: 'Exists' }] } }),
    );
    await pass(harness, 30, ['node-2']);
    expect(ready(harness)?.status).toBe('True');
    await pass(harness, 20, ['node-2']);
    expect(ready(harness)).toMatchObject({
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    });
    expect(taints(harness)).toEqual([
      'node.kubernetes.io/unreachable:NoSchedule',
      'node.kubernetes.io/unreachable:NoExecute',
    ]);
    expect(harness.client.peek(resources.pods, 'default/p')?.status?.conditions).toMatchObject([
      { type: 'Ready', status: 'False' },
    ]);
    expect(await harness.events()).toContain('NodeNotReady Node node-1 status is now: NodeNotReady');
    expect(ready(harness, 'node-2')?.status).toBe('True');
    expect(harness.failures).toEqual([]);
  });

  test('a node that comes back loses the taints when its kubelet says Ready', async () => {
    using harness = await run();
    await pass(harness, 60, ['node-2']);
    beat(harness, 'node-1');
    harness.client.put(resources.nodes, {
      ...node(harness),
      status: { ...node(harness).status, conditions: [{ type: 'Ready', status: 'True' }] },
    });
    await harness.settle();
    expect(taints(harness)).toEqual([]);
  });

  test('a kubelet that says it is not ready is tainted otherwise, foreign taints stay', async () => {
    const foreign = { key: 'mine', value: 'x', effect: 'NoSchedule' };
    using harness = await run([
      buildNode({ ready: false, spec: { taints: [foreign] } }),
      buildNode({ name: 'node-2' }),
    ]);
    expect(taints(harness)).toEqual([
      'mine:NoSchedule',
      'node.kubernetes.io/not-ready:NoSchedule',
      'node.kubernetes.io/not-ready:NoExecute',
    ]);
    expect(node(harness).spec?.taints?.[2]?.timeAdded).toBe('2026-01-01T00:00:00Z');
  });

  test('cordoning and pressure are taints, and go again', async () => {
    const pressure = {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'DiskPressure', status: 'True' },
      ],
    };
    using harness = await run([buildNode({ spec: { unschedulable: true }, status: pressure })]);
    expect(taints(harness)).toEqual([
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
    ]);
    harness.client.put(resources.nodes, buildNode({ spec: { taints: node(harness).spec?.taints } }));
    await harness.settle();
    expect(taints(harness)).toEqual([]);
  });

  test('while no node at all is heard of nobody is evicted', async () => {
    using harness = await run();
    await pass(harness, 30, ['node-2']);
    await pass(harness, 60, []);
    expect(taints(harness)).toEqual(['node.kubernetes.io/unreachable:NoSchedule']);
    expect(taints(harness, 'node-2')).toEqual(['node.kubernetes.io/unreachable:NoSchedule']);
  });
});

describe('taint eviction', () => {
  const taint = (effect: string, timeAdded = '2026-01-01T00:00:00Z'): Taint => ({ key: 'k', effect, timeAdded });
  const at = Date.UTC(2026, 0, 1);
  test.each<[string, readonly Toleration[], number | undefined]>([
    ['nothing', [], at],
    ['it for ever', [{ key: 'k', operator: 'Exists' }], undefined],
    ['it for a while', [{ key: 'k', operator: 'Exists', tolerationSeconds: 300 }], at + 300_000],
    [
      'it for two whiles',
      [
        { key: 'k', operator: 'Exists', tolerationSeconds: 300 },
        { operator: 'Exists', tolerationSeconds: 60 },
      ],
      at + 60_000,
    ],
    ['it for no time', [{ key: 'k', operator: 'Exists', tolerationSeconds: -5 }], at],
    ['something else', [{ key: 'other', operator: 'Exists' }], at],
  ])('a pod that tolerates %s', (_what, tolerations, time) => {
    const pod = buildPod({ spec: { tolerations } });
    expect(evictionTime(pod, [taint('NoExecute'), taint('NoSchedule')], at + 1000)).toBe(time);
    expect(evictionTime(pod, [taint('NoSchedule')], at)).toBeUndefined();
  });

  test('pods leave when their time has come, and stay when the taint goes before', async () => {
    using harness = await run([buildNode(), buildNode({ name: 'node-2' })]);
    const patient = (name: string, tolerationSeconds: number) =>
      buildPod({ name, nodeName: 'node-1', spec: { tolerations: [{ operator: 'Exists', tolerationSeconds }] } });
    harness.client.put(
      resources.pods,
      patient('short', 10),
      patient('long', 30),
      buildPod({ name: 'none', nodeName: 'node-1' }),
    );
    harness.client.put(resources.nodes, buildNode({ spec: { taints: [taint('NoExecute')] } }));
    await harness.settle();
    const leaving = () =>
      harness.client
        .all(resources.pods)
        .filter(({ metadata }) => metadata?.deletionTimestamp)
        .map(({ metadata }) => metadata?.name);
    expect(leaving()).toEqual(['none']);
    await harness.clock.step(10_000);
    expect(leaving()).toEqual(['none', 'short']);
    harness.client.put(resources.nodes, buildNode());
    await harness.clock.step(30_000);
    expect(leaving()).toEqual(['none', 'short']);
    expect(await harness.events()).toContain('TaintManagerEviction Marking for deletion Pod default/none');
  });
});
