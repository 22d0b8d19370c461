import { expect, test } from 'vitest';
import { startPodGarbageCollector } from '../../../../src/controllers/pod-gc/pod-gc-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildNode, buildPod } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const names = ({ client }: ControllerHarness) => client.all(resources.pods).map(({ metadata }) => metadata?.name);

test('pods of a node that is gone are given up after the quarantine', async () => {
  using harness = new ControllerHarness();
  harness.client.put(resources.nodes, buildNode(), buildNode({ name: 'node-2' }));
  harness.client.put(
    resources.pods,
    buildPod({ name: 'a', nodeName: 'node-1' }),
    buildPod({ name: 'b', nodeName: 'node-2' }),
  );
  await harness.start(startPodGarbageCollector);
  harness.client.remove(resources.nodes, 'node-1');
  await harness.clock.step(39_000);
  expect(names(harness)).toEqual(['a', 'b']);
  await harness.clock.step(1000);
  expect(names(harness)).toEqual(['b']);
  expect(harness.failures).toEqual([]);
});

test('a node that comes back within the quarantine keeps its pods', async () => {
  using harness = new ControllerHarness();
  harness.client.put(resources.nodes, buildNode());
  harness.client.put(resources.pods, buildPod({ name: 'a', nodeName: 'node-1' }));
  await harness.start(startPodGarbageCollector);
  harness.client.remove(resources.nodes, 'node-1');
  await harness.clock.step(20_000);
  harness.client.put(resources.nodes, buildNode());
  await harness.clock.step(60_000);
  expect(names(harness)).toEqual(['a']);
});

test('a pod that is being deleted and was never scheduled goes at once', async () => {
  using harness = new ControllerHarness();
  harness.client.put(
    resources.pods,
    buildPod({ name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' }),
    buildPod({ name: 'b' }),
  );
  await harness.start(startPodGarbageCollector);
  expect(names(harness)).toEqual(['b']);
});
