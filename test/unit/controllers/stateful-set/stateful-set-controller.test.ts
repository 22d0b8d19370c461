import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startStatefulSetController } from '../../../../src/controllers/stateful-set/stateful-set-controller.ts';
import type { Pod, StatefulSet, StatefulSetSpec } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildPodTemplate } from '../../../helpers/build-objects.ts';
import { ControllerHarness, startFakeKubelet } from '../../../helpers/controller-harness.ts';

const build = (spec: Partial<StatefulSetSpec> = {}): StatefulSet => ({
  metadata: { name: 'db', namespace: 'default', uid: 'ss' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'web' } },
    template: buildPodTemplate(),
    updateStrategy: { type: 'RollingUpdate' },
    ...spec,
  },
});

describe('StatefulSet', () => {
  let harness: ControllerHarness;
  let started: string[];
  beforeEach(() => {
    harness = new ControllerHarness();
    started = [];
    harness.informers.for(resources.pods).onChange(({ key, previous, current }) => {
      if (previous === undefined) started.push(`+${key.slice(-4)}`);
      if (current === undefined) started.push(`-${key.slice(-4)}`);
    });
  });
  afterEach(() => harness[Symbol.dispose]());

  const start = async (spec: Partial<StatefulSetSpec> = {}) => {
    harness.client.put(resources.statefulSets, build(spec));
    await harness.start(startStatefulSetController);
  };
  const set = () => harness.client.peek(resources.statefulSets, 'default/db')!;
  const pods = () => harness.client.all(resources.pods);
  const names = () => pods().map(({ metadata }) => metadata?.name);
  const images = () => pods().map(({ spec }) => spec?.containers[0]?.image);
  const change = async (spec: Partial<StatefulSetSpec>) => {
    await harness.client.update(resources.statefulSets, { ...set(), spec: { ...set().spec!, ...spec } });
    await harness.settle();
  };
  const imageOf = (pod: Pod) => pod.spec?.containers[0]?.image;

  test('pods have names, host names, a subdomain and an index that stay', async () => {
    startFakeKubelet(harness);
    await start();
    expect(names()).toEqual(['db-0', 'db-1', 'db-2']);
    expect(pods()[1]).toMatchObject({
      metadata: {
        labels: {
          app: 'web',
          'statefulset.kubernetes.io/pod-name': 'db-1',
          'apps.kubernetes.io/pod-index': '1',
          'controller-revision-hash': set().status?.updateRevision,
        },
        ownerReferences: [{ kind: 'StatefulSet', uid: 'ss' }],
      },
      spec: { hostname: 'db-1', subdomain: 'db' },
    });
    expect(set().status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      currentReplicas: 3,
      updatedReplicas: 3,
      observedGeneration: 1,
    });
    expect(set().status?.currentRevision).toBe(set().status?.updateRevision);
    expect(await harness.events()).toContain('SuccessfulCreate create Pod db-2 in StatefulSet db successful');
    expect(harness.failures).toEqual([]);
  });

  test('a pod starts only when the one before it is ready', async () => {
    startFakeKubelet(harness, { ready: (pod) => pod.metadata?.name !== 'db-1' });
    await start();
    expect(names()).toEqual(['db-0', 'db-1']);
  });

  test('Parallel starts all at once', async () => {
    startFakeKubelet(harness, { ready: () => false });
    await start({ podManagementPolicy: 'Parallel' });
    expect(names()).toHaveLength(3);
  });

  test('scaling down goes from the top, one after the other', async () => {
    startFakeKubelet(harness);
    await start();
    await change({ replicas: 1 });
    expect(started).toEqual(['+db-0', '+db-1', '+db-2', '-db-2', '-db-1']);
  });

  test('a pod that goes comes back under its name', async () => {
    startFakeKubelet(harness);
    await start();
    const before = pods()[1]?.metadata?.uid;
    await harness.client.delete(resources.pods, { namespace: 'default', name: 'db-1' });
    await harness.settle();
    expect(names()).toEqual(['db-0', 'db-1', 'db-2']);
    expect(pods()[1]?.metadata?.uid).not.toBe(before);
  });

  test('a pod that has failed is replaced', async () => {
    startFakeKubelet(harness);
    await start();
    harness.client.put(resources.pods, { ...pods()[0]!, status: { ...pods()[0]!.status, phase: 'Failed' } });
    await harness.settle();
    expect(pods().map(({ status }) => status?.phase)).toEqual(['Running', 'Running', 'Running']);
  });

  test('a rolling update goes from the top and makes the new revision the current one', async () => {
    startFakeKubelet(harness);
    await start();
    const old = set().status?.currentRevision;
    started.length = 0;
    await change({ template: buildPodTemplate('v2') });
    expect(started).toEqual(['-db-2', '+db-2', '-db-1', '+db-1', '-db-0', '+db-0']);
    expect(images()).toEqual(['v2', 'v2', 'v2']);
    expect(set().status?.currentRevision).not.toBe(old);
    expect(set().status?.currentRevision).toBe(set().status?.updateRevision);
  });

  test('a partition keeps lower pods in the old revision, even when they are replaced', async () => {
    startFakeKubelet(harness);
    await start();
    await change({
      template: buildPodTemplate('v2'),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } },
    });
    expect(images()).toEqual(['agnhost', 'agnhost', 'v2']);
    await harness.client.delete(resources.pods, { namespace: 'default', name: 'db-0' });
    await harness.settle();
    expect(images()).toEqual(['agnhost', 'agnhost', 'v2']);
    expect(set().status).toMatchObject({ currentReplicas: 2, updatedReplicas: 1 });
  });

  test('a rolling update stops at a pod that does not become ready', async () => {
    startFakeKubelet(harness, { ready: (pod) => imageOf(pod) !== 'bad' });
    await start();
    await change({ template: buildPodTemplate('bad') });
    expect(images()).toEqual(['agnhost', 'agnhost', 'bad']);
  });

  test('OnDelete exchanges only what is deleted', async () => {
    startFakeKubelet(harness);
    await start({ updateStrategy: { type: 'OnDelete' } });
    await change({ template: buildPodTemplate('v2') });
    expect(images()).toEqual(['agnhost', 'agnhost', 'agnhost']);
    await harness.client.delete(resources.pods, { namespace: 'default', name: 'db-1' });
    await harness.settle();
    expect(images()).toEqual(['agnhost', 'v2', 'agnhost']);
  });

  test('going back to an older template takes its revision up again', async () => {
    startFakeKubelet(harness);
    await start();
    const first = set().status?.currentRevision;
    await change({ template: buildPodTemplate('v2') });
    await change({ template: buildPodTemplate() });
    expect(set().status?.currentRevision).toBe(first);
    const revisions = harness.client.all(resources.controllerRevisions);
    expect(revisions.map(({ revision }) => revision).sort()).toEqual([2, 3]);
    expect(revisions[0]?.data).toMatchObject({ spec: { template: { $patch: 'replace' } } });
  });

  test('revisions beyond the limit are removed', async () => {
    startFakeKubelet(harness);
    await start({ revisionHistoryLimit: 1 });
    for (const image of ['v2', 'v3', 'v4']) await change({ template: buildPodTemplate(image) });
    expect(harness.client.all(resources.controllerRevisions)).toHaveLength(2);
  });

  test('minReadySeconds holds the next pod back', async () => {
    startFakeKubelet(harness);
    await start({ minReadySeconds: 10 });
    expect(names()).toEqual(['db-0']);
    await harness.clock.step(10_000);
    expect(names()).toEqual(['db-0', 'db-1']);
  });

  test('claims are made for each pod and stay', async () => {
    startFakeKubelet(harness);
    await start({
      replicas: 2,
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    });
    await change({ replicas: 1 });
    expect(harness.client.all(resources.persistentVolumeClaims).map(({ metadata }) => metadata?.name)).toEqual([
      'data-db-0',
      'data-db-1',
    ]);
    expect(pods()[0]?.spec?.volumes).toEqual([{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } }]);
  });

  test('ordinals may start elsewhere', async () => {
    startFakeKubelet(harness);
    await start({ replicas: 2, ordinals: { start: 5 } });
    expect(names()).toEqual(['db-5', 'db-6']);
  });
});
