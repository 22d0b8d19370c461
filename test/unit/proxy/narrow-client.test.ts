import { expect, test } from 'vitest';
import type { WatchEvent } from '../../../src/kube/client.ts';
import type { Service } from '../../../src/kube/generated/types.ts';
import { type ResourceType, resources } from '../../../src/kube/resources.ts';
import { narrowClient } from '../../../src/proxy/narrow-client.ts';
import { buildNode, buildService } from '../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const HEADLESS = { 'service.kubernetes.io/headless': '' };

function start() {
  const fake = new FakeKubeClient(new SteppedClock());
  return { fake, client: narrowClient(fake, 'node-1') };
}

test('a proxy alone sees its own node, and no Service that is meant for another', async () => {
  const { fake, client } = start();
  for (const name of ['node-1', 'node-2']) fake.put(resources.nodes, buildNode({ name }));
  fake.put(resources.services, buildService());
  fake.put(resources.services, buildService({ name: 'other', labels: HEADLESS }));
  const names = async (type: ResourceType) => (await client.list(type)).items.map(({ metadata }) => metadata?.name);
  expect(await names(resources.nodes as ResourceType)).toEqual(['node-1']);
  expect(await names(resources.services as ResourceType)).toEqual(['web']);
});

test('a Service that gets such a label is gone', async () => {
  const { fake, client } = start();
  fake.put(resources.services, buildService());
  const { resourceVersion } = await client.list(resources.services);
  const seen: string[] = [];
  const onEvent = ({ type }: WatchEvent<Service>): number => seen.push(type);
  using _watch = client.watch(resources.services, { resourceVersion }, onEvent, () => {});
  fake.put(resources.services, buildService({ labels: HEADLESS }));
  await expect.poll(() => seen.filter((type) => type !== 'BOOKMARK')).toEqual(['DELETED']);
});

test('managedFields are left out, and nothing else', async () => {
  const { fake, client } = start();
  const service = buildService();
  const metadata = { ...service.metadata, managedFields: [{ manager: 'kubectl' }] };
  fake.put(resources.services, { ...service, metadata });
  const [listed] = (await client.list(resources.services)).items;
  expect(listed?.metadata).not.toHaveProperty('managedFields');
  expect(listed).toMatchObject(service);
});
