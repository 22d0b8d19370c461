import { describe, expect, test } from 'vitest';
import { startDisruptionController } from '../../../../src/controllers/disruption/disruption-controller.ts';
import type { PodDisruptionBudgetSpec } from '../../../../src/kube/generated/types.ts';
import { controllerReferenceTo } from '../../../../src/kube/owner-references.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildPod, buildReplicaSet, type PodOptions } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const SELECTOR = { matchLabels: { app: 'web' } };
async function run(spec: Partial<PodDisruptionBudgetSpec>, pods: readonly PodOptions[], replicas = pods.length) {
  const harness = new ControllerHarness();
  const set = buildReplicaSet({ name: 'rs', uid: 'rs', spec: { replicas } });
  const ownerReferences = [controllerReferenceTo(resources.replicaSets, set)];
  harness.client.put(resources.replicaSets, set);
  harness.client.put(
    resources.pods,
    ...pods.map((options, i) =>
      buildPod({ name: `p${i}`, nodeName: 'n', labels: { app: 'web' }, ownerReferences, ...options }),
    ),
  );
  harness.client.put(resources.podDisruptionBudgets, {
    metadata: { name: 'b', namespace: 'default' },
    spec: { selector: SELECTOR, ...spec },
  });
  return harness.start(startDisruptionController);
}
const status = ({ client }: ControllerHarness) => client.peek(resources.podDisruptionBudgets, 'default/b')?.status;

describe('PodDisruptionBudget', () => {
  test.each<[Partial<PodDisruptionBudgetSpec>, number, number]>([
    [{ minAvailable: 1 }, 1, 3],
    [{ minAvailable: '50%' }, 2, 2],
    [{ minAvailable: 10 }, 10, 0],
    [{ maxUnavailable: 1 }, 3, 1],
    [{ maxUnavailable: '30%' }, 2, 2],
    [{ maxUnavailable: 0 }, 4, 0],
  ])('%j of 4 ready pods wants %d and allows %d', async (spec, desiredHealthy, disruptionsAllowed) => {
    using harness = await run(spec, [{}, {}, {}, {}]);
    expect(status(harness)).toMatchObject({
      currentHealthy: 4,
      expectedPods: 4,
      desiredHealthy,
      disruptionsAllowed,
      conditions: [{ type: 'DisruptionAllowed', status: disruptionsAllowed > 0 ? 'True' : 'False' }],
    });
  });

  test('maxUnavailable counts from what the controller asks for, not from what is there', async () => {
    using harness = await run({ maxUnavailable: 1 }, [{}, {}], 4);
    expect(status(harness)).toMatchObject({ expectedPods: 4, desiredHealthy: 3, disruptionsAllowed: 0 });
  });

  test('pods that are not ready or are ending are not healthy', async () => {
    using harness = await run({ minAvailable: 1 }, [
      {},
      { ready: false },
      { deletionTimestamp: '2026-01-01T00:00:00Z' },
    ]);
    expect(status(harness)).toMatchObject({ currentHealthy: 1, disruptionsAllowed: 0 });
    harness.client.put(resources.pods, buildPod({ name: 'p1', nodeName: 'n', labels: { app: 'web' } }));
    await harness.settle();
    expect(status(harness)).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1 });
  });

  test('an eviction that was granted counts until the pod goes or two minutes are over', async () => {
    using harness = await run({ minAvailable: 1 }, [{}, {}]);
    const { client } = harness;
    const budget = client.peek(resources.podDisruptionBudgets, 'default/b')!;
    client.put(resources.podDisruptionBudgets, {
      ...budget,
      status: { ...budget.status!, disruptedPods: { p0: '2026-01-01T00:00:00Z' } },
    });
    await harness.settle();
    expect(status(harness)).toMatchObject({
      currentHealthy: 1,
      disruptionsAllowed: 0,
      disruptedPods: { p0: '2026-01-01T00:00:00Z' },
    });
    await harness.clock.step(120_000);
    expect(status(harness)).toMatchObject({ currentHealthy: 2, disruptionsAllowed: 1 });
    expect(status(harness)?.disruptedPods).toBeUndefined();
  });

  test('without pods nothing may be disrupted', async () => {
    using harness = await run({ minAvailable: 0 }, []);
    expect(status(harness)).toMatchObject({ expectedPods: 0, disruptionsAllowed: 0 });
  });
});
