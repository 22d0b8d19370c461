import { expect, test } from 'vitest';
import { startNodeIPAMController } from '../../../../src/controllers/node-ipam/node-ipam-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildNode } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const bare = (name: string) => buildNode({ name, podCIDRs: [] });
const sharesOf = (harness: ControllerHarness, name: string) =>
  harness.client.peek(resources.nodes, name)?.spec?.podCIDRs;
const run = async (podCIDRs: readonly string[], nodes: readonly ReturnType<typeof buildNode>[]) => {
  const harness = new ControllerHarness();
  harness.client.put(resources.nodes, ...nodes);
  return harness.start((context) => startNodeIPAMController(context, podCIDRs));
};

test('nodes without podCIDRs get the lowest free shares of both families, others keep theirs', async () => {
  const taken = buildNode({ name: 'taken', podCIDRs: ['10.244.0.0/24', 'fd00:10:244::/64'] });
  using harness = await run(['10.244.0.0/16', 'fd00:10:244::/56'], [bare('a'), taken, bare('b')]);
  expect(sharesOf(harness, 'a')).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);
  expect(harness.client.peek(resources.nodes, 'a')?.spec?.podCIDR).toBe('10.244.1.0/24');
  expect(sharesOf(harness, 'b')).toEqual(['10.244.2.0/24', 'fd00:10:244:2::/64']);
  expect(sharesOf(harness, 'taken')).toEqual(['10.244.0.0/24', 'fd00:10:244::/64']);
});

test('a node that finds no share waits until one is free', async () => {
  using harness = await run(['10.244.0.0/23'], [bare('a'), bare('b'), bare('c')]);
  expect(sharesOf(harness, 'c')).toBeUndefined();
  expect(await harness.events()).toContain('CIDRNotAvailable Node c status is now: CIDRNotAvailable');
  harness.client.remove(resources.nodes, 'a');
  await harness.settle();
  expect(sharesOf(harness, 'c')).toEqual(['10.244.0.0/24']);
});
