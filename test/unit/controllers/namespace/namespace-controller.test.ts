import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtinKinds } from '../../../../src/controllers/builtin-kinds.ts';
import { startNamespaceController } from '../../../../src/controllers/namespace/namespace-controller.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { buildNamespace, buildPod, buildService } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

describe('a namespace that is deleted', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
    harness.client.put(resources.namespaces, buildNamespace({ name: 'n1' }), buildNamespace({ name: 'n2' }));
  });
  afterEach(() => harness[Symbol.dispose]());
  const start = () => harness.start((context) => startNamespaceController(context, builtinKinds));
  const remove = () => harness.client.delete(resources.namespaces, { name: 'n1' });
  const n1 = () => harness.client.peek(resources.namespaces, 'n1');

  test('loses everything in it and goes, other namespaces stay', async () => {
    const inside = { name: 'a', namespace: 'n1' };
    harness.client.put(resources.services, buildService(inside), buildService({ name: 'a', namespace: 'n2' }));
    harness.client.put(resources.configMaps, { metadata: inside });
    await start();
    await remove();
    await harness.settle();
    expect(n1()).toBeUndefined();
    expect(harness.client.all(resources.services).map(({ metadata }) => metadata?.namespace)).toEqual(['n2']);
    expect(harness.client.all(resources.configMaps)).toEqual([]);
    expect(harness.failures).toEqual([]);
  });

  test('keeps what pods use until they have ended, and goes at once then', async () => {
    harness.client.put(resources.pods, buildPod({ name: 'p', namespace: 'n1', nodeName: 'node-1' }));
    harness.client.put(resources.configMaps, { metadata: { name: 'c', namespace: 'n1' } });
    await start();
    await remove();
    await harness.clock.step(5000);
    expect(n1()?.status).toMatchObject({ phase: 'Terminating' });
    expect(n1()?.status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'NamespaceContentRemaining',
        status: 'True',
        message: 'Some resources are remaining: pods. has 1 resource instances',
      }),
    );
    expect(harness.client.all(resources.configMaps)).toHaveLength(1);
    harness.client.remove(resources.pods, 'n1/p');
    await harness.settle();
    expect(n1()).toBeUndefined();
    expect(harness.client.all(resources.configMaps)).toEqual([]);
  });

  test('waits for finalizers of others and names them', async () => {
    harness.client.put(resources.configMaps, {
      metadata: { name: 'c', namespace: 'n1', finalizers: ['example.com/x'] },
    });
    await start();
    await remove();
    await harness.clock.step(3000);
    expect(n1()?.status?.conditions).toContainEqual(
      expect.objectContaining({
        message: 'Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances',
      }),
    );
    const asked = harness.client.actions.filter(
      ({ verb, resource }) => verb === 'list' && resource === 'configmaps',
    ).length;
    expect(asked).toBeLessThan(40);
    harness.client.remove(resources.configMaps, 'n1/c');
    await harness.clock.step(1000);
    expect(n1()).toBeUndefined();
  });

  test('was being deleted already when the controller starts', async () => {
    await remove();
    await start();
    expect(n1()).toBeUndefined();
  });

  test('is not held up by a kind that is not served', async () => {
    harness.client.react(({ verb, resource }) =>
      verb === 'list' && resource === 'limitranges' ? new ApiStatusError('NotFound', 'no such resource') : undefined,
    );
    await start();
    await remove();
    await harness.settle();
    expect(n1()).toBeUndefined();
  });

  test('stays as long as something in it cannot be deleted', async () => {
    let broken = true;
    harness.client.put(resources.configMaps, { metadata: { name: 'c', namespace: 'n1' } });
    harness.client.react(({ verb }) =>
      broken && verb === 'delete' ? new ApiStatusError('InternalError', 'disk full') : undefined,
    );
    await start();
    broken = false;
    await remove();
    broken = true;
    await harness.clock.step(1000);
    expect(n1()).toBeDefined();
    expect(harness.failures[0]).toMatchObject({ controller: 'namespace', key: 'n1' });
    broken = false;
    await harness.clock.step(10_000);
    expect(n1()).toBeUndefined();
  });
});
