import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtinKinds } from '../../../../src/controllers/builtin-kinds.ts';
import type { ServedKinds } from '../../../../src/controllers/config.ts';
import { startGarbageCollector } from '../../../../src/controllers/garbage-collector/garbage-collector.ts';
import type { OwnerReference } from '../../../../src/kube/generated/types.ts';
import { type KubeObject, type ResourceType, resources } from '../../../../src/kube/resources.ts';
import { buildDeployment, buildPod, buildReplicaSet } from '../../../helpers/build-objects.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const owner = (kind: string, name: string, extra: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: kind === 'ConfigMap' ? 'v1' : 'apps/v1',
  kind,
  name,
  uid: name,
  controller: true,
  blockOwnerDeletion: true,
  ...extra,
});
const configMap = (name: string, ownerReferences: readonly OwnerReference[] = []) => ({
  metadata: { name, namespace: 'default', uid: name, ownerReferences },
});

describe('garbage collector', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
    harness.client.put(resources.deployments, buildDeployment({ name: 'd', uid: 'd' }));
    harness.client.put(
      resources.replicaSets,
      buildReplicaSet({ name: 'rs', uid: 'rs', ownerReferences: [owner('Deployment', 'd')] }),
    );
    harness.client.put(resources.pods, buildPod({ name: 'p', uid: 'p', ownerReferences: [owner('ReplicaSet', 'rs')] }));
  });
  afterEach(() => harness[Symbol.dispose]());
  const start = (kinds: ServedKinds = builtinKinds) =>
    harness.start((context) => startGarbageCollector(context, kinds));
  const remove = async (propagationPolicy: 'Background' | 'Foreground' | 'Orphan') => {
    await harness.client.delete(resources.deployments, { namespace: 'default', name: 'd' }, { propagationPolicy });
    await harness.settle();
  };
  const left = () =>
    [resources.deployments, resources.replicaSets, resources.pods, resources.configMaps].flatMap((type) =>
      harness.client.all(type as ResourceType).map(({ metadata }) => metadata?.name),
    );

  test('leaves what has its owner alone, and asks the server nothing', async () => {
    await start();
    expect(left()).toEqual(['d', 'rs', 'p']);
    expect(harness.client.actions.filter(({ verb }) => verb !== 'list')).toEqual([]);
  });

  test('Background: dependents go after their owner, all the way down', async () => {
    await start();
    await remove('Background');
    expect(left()).toEqual([]);
  });

  test('Foreground: the owner goes last', async () => {
    await start();
    const gone: string[] = [];
    for (const type of [resources.deployments, resources.replicaSets, resources.pods] as ResourceType[]) {
      harness.informers.for(type).onChange(({ key, current }) => current === undefined && gone.push(key));
    }
    await remove('Foreground');
    expect(gone).toEqual(['default/p', 'default/rs', 'default/d']);
  });

  test('Foreground: a dependent that does not block is left for later', async () => {
    harness.client.put(resources.configMaps, configMap('c', [owner('Deployment', 'd', { blockOwnerDeletion: false })]));
    harness.client.remove(resources.replicaSets, 'default/rs');
    harness.client.remove(resources.pods, 'default/p');
    await start();
    await remove('Foreground');
    expect(left()).toEqual([]);
  });

  test('Foreground: a pod that ends slowly holds its owners', async () => {
    harness.client.put(
      resources.pods,
      buildPod({ name: 'p', uid: 'p', nodeName: 'n', ownerReferences: [owner('ReplicaSet', 'rs')] }),
    );
    await start();
    await remove('Foreground');
    expect(left()).toEqual(['d', 'rs', 'p']);
    harness.client.remove(resources.pods, 'default/p');
    await harness.settle();
    expect(left()).toEqual([]);
  });

  test('Orphan: dependents lose the reference and stay', async () => {
    await start();
    await remove('Orphan');
    expect(left()).toEqual(['rs', 'p']);
    expect(harness.client.peek(resources.replicaSets, 'default/rs')?.metadata?.ownerReferences).toEqual([]);
  });

  test('an owner of the same name but another uid is not the owner', async () => {
    harness.client.put(
      resources.configMaps,
      configMap('a'),
      configMap('c', [owner('ConfigMap', 'a', { uid: 'older' })]),
    );
    await start();
    expect(left()).not.toContain('c');
    expect(left()).toContain('a');
  });

  test('an owner in another namespace does not count', async () => {
    harness.client.put(
      resources.configMaps,
      { metadata: { name: 'far', namespace: 'other', uid: 'far' } },
      configMap('c', [owner('ConfigMap', 'far')]),
    );
    await start();
    expect(left()).not.toContain('c');
  });

  test('a cluster-scoped owner counts everywhere', async () => {
    harness.client.put(resources.nodes, { metadata: { name: 'n', uid: 'n' } });
    harness.client.put(resources.leases, {
      metadata: {
        name: 'n',
        namespace: 'kube-node-lease',
        ownerReferences: [owner('Node', 'n', { apiVersion: 'v1' })],
      },
    });
    await start();
    expect(harness.client.all(resources.leases)).toHaveLength(1);
    harness.client.remove(resources.nodes, 'n');
    await harness.settle();
    expect(harness.client.all(resources.leases)).toEqual([]);
  });

  test('with one of two owners left only the dead reference goes', async () => {
    harness.client.put(
      resources.configMaps,
      configMap('a'),
      configMap('c', [owner('ConfigMap', 'a'), owner('ConfigMap', 'gone')]),
    );
    await start();
    expect(harness.client.peek(resources.configMaps, 'default/c')?.metadata?.ownerReferences).toMatchObject([
      { uid: 'a' },
    ]);
  });

  test('an owner of a kind that is not served is not judged', async () => {
    harness.client.put(resources.configMaps, configMap('c', [owner('Widget', 'w', { apiVersion: 'example.com/v1' })]));
    await start();
    expect(left()).toContain('c');
  });

  test('a kind that comes later is followed from then on, and one that goes no longer', async () => {
    const widgets: ResourceType = {
      group: 'example.com',
      version: 'v1',
      resource: 'widgets',
      kind: 'Widget',
      namespaced: true,
    };
    let listener = (): void => {};
    let served = builtinKinds.list();
    const kinds: ServedKinds = {
      list: () => served,
      onChange: (callback) => {
        listener = callback;
        return { [Symbol.dispose]: () => {} };
      },
    };
    await start(kinds);
    served = [...served, widgets];
    listener();
    await harness.settle();
    const widget: KubeObject = {
      metadata: { name: 'w', namespace: 'default', uid: 'w', ownerReferences: [owner('Deployment', 'd')] },
    };
    harness.client.put(widgets, widget);
    await harness.settle();
    await remove('Background');
    expect(harness.client.all(widgets)).toEqual([]);
    served = builtinKinds.list();
    listener();
    harness.client.put(widgets, widget);
    await harness.clock.step(10_000);
    expect(harness.client.all(widgets)).toHaveLength(1);
  });

  test('whatever is deleted how, nothing stays without an owner and nothing goes that has one', async () => {
    const policies = fc.constantFrom('Background' as const, 'Foreground' as const, 'Orphan' as const);
    const tree = fc.array(fc.option(fc.nat(9)), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(tree, fc.array(fc.tuple(fc.nat(9), policies), { maxLength: 4 }), async (parents, deletions) => {
        using world = new ControllerHarness();
        const name = (i: number) => `c${i}`;
        for (const [i, parent] of parents.entries()) {
          const references = parent === null || parent >= i ? [] : [owner('ConfigMap', name(parent))];
          world.client.put(resources.configMaps, configMap(name(i), references));
        }
        await world.start((context) => startGarbageCollector(context, builtinKinds));
        for (const [i, propagationPolicy] of deletions) {
          const deleted = world.client.delete(
            resources.configMaps,
            { namespace: 'default', name: name(i) },
            { propagationPolicy },
          );
          await deleted.catch((error: Error) => expect(error.message).toContain('not found'));
        }
        await world.clock.step(30_000);
        const remaining = world.client.all(resources.configMaps);
        const uids = new Set(remaining.map(({ metadata }) => metadata?.uid));
        for (const { metadata } of remaining) {
          expect(metadata?.deletionTimestamp).toBeUndefined();
          for (const { uid } of metadata?.ownerReferences ?? []) expect(uids).toContain(uid);
        }
        const deletedRoots = new Set(deletions.map(([i]) => name(i)));
        for (const [i, parent] of parents.entries()) {
          const root = parent === null || parent >= i;
          if (root && !deletedRoots.has(name(i))) expect(uids).toContain(name(i));
        }
        expect(world.failures).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
