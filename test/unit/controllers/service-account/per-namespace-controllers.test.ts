import { expect, test } from 'vitest';
import {
  startRootCAPublisher,
  startServiceAccountController,
} from '../../../../src/controllers/service-account/per-namespace-controllers.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildNamespace } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

async function run() {
  const harness = new ControllerHarness();
  harness.client.put(
    resources.namespaces,
    buildNamespace(),
    buildNamespace({ name: 'going', deletionTimestamp: '2026-01-01T00:00:00Z' }),
  );
  await harness.start(startServiceAccountController, (context) => startRootCAPublisher(context, 'PEM'));
  return harness;
}

test('every namespace that is not being deleted has its default ServiceAccount and the CA', async () => {
  using harness = await run();
  harness.client.put(resources.namespaces, buildNamespace({ name: 'n1' }));
  await harness.settle();
  expect(
    harness.client.all(resources.serviceAccounts).map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`),
  ).toEqual(['default/default', 'n1/default']);
  expect(harness.client.all(resources.configMaps)).toMatchObject([
    { metadata: { namespace: 'default', name: 'kube-root-ca.crt' }, data: { 'ca.crt': 'PEM' } },
    { metadata: { namespace: 'n1' } },
  ]);
  expect(harness.failures).toEqual([]);
});

test('what somebody deletes or changes comes back', async () => {
  using harness = await run();
  harness.client.remove(resources.serviceAccounts, 'default/default');
  const [published] = harness.client.all(resources.configMaps);
  harness.client.put(resources.configMaps, { ...published, data: { 'ca.crt': 'forged' } });
  await harness.settle();
  expect(harness.client.all(resources.serviceAccounts)).toHaveLength(1);
  expect(harness.client.all(resources.configMaps)).toMatchObject([{ data: { 'ca.crt': 'PEM' } }]);
});

test('a default ServiceAccount that somebody made before is kept as it is', async () => {
  using harness = new ControllerHarness();
  harness.client.put(resources.namespaces, buildNamespace());
  harness.client.put(resources.serviceAccounts, {
    metadata: { name: 'default', namespace: 'default' },
    automountServiceAccountToken: false,
  });
  await harness.start(startServiceAccountController);
  expect(harness.client.actions.filter(({ verb }) => verb !== 'list')).toEqual([]);
});
