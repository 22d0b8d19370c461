import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startReplicaSetController } from '../../../../src/controllers/replica-set/replica-set-controller.ts';
import { controllerReferenceTo } from '../../../../src/kube/owner-references.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { buildPod, buildReplicaSet } from '../../../helpers/build-objects.ts';
import { ControllerHarness, startFakeKubelet } from '../../../helpers/controller-harness.ts';

describe('ReplicaSet', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
  });
  afterEach(() => harness[Symbol.dispose]());

  const pods = () => harness.client.all(resources.pods);
  const set = () => harness.client.peek(resources.replicaSets, 'default/web')!;
  const scale = (replicas: number) =>
    harness.client.put(resources.replicaSets, { ...set(), spec: { ...set().spec!, replicas } });

  test('missing pods are created from the template, each once, and owned', async () => {
    harness.client.put(resources.replicaSets, buildReplicaSet({ uid: 'rs', spec: { replicas: 7 } }));
    await harness.start(startReplicaSetController);
    expect(pods()).toHaveLength(7);
    expect(pods()[0]).toMatchObject({
      metadata: {
        name: expect.stringMatching(/^web-/),
        labels: { app: 'web' },
        ownerReferences: [{ kind: 'ReplicaSet', uid: 'rs', controller: true }],
      },
      spec: { containers: [{ name: 'main' }] },
    });
    expect(
      (await harness.events()).filter((event) => event.startsWith('SuccessfulCreate Created pod: web-')),
    ).toHaveLength(7);
    expect(harness.failures).toEqual([]);
  });

  test('the status counts pods, ready pods and available pods', async () => {
    harness.client.put(
      resources.replicaSets,
      buildReplicaSet({ generation: 3, spec: { replicas: 3, minReadySeconds: 10 } }),
    );
    startFakeKubelet(harness);
    await harness.start(startReplicaSetController);
    expect(set().status).toMatchObject({
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 0,
      fullyLabeledReplicas: 3,
      observedGeneration: 3,
    });
    await harness.clock.step(10_000);
    expect(set().status?.availableReplicas).toBe(3);
  });

  test('scaling down deletes pods without a node and not ready first', async () => {
    const owned = {
      ownerReferences: [controllerReferenceTo(resources.replicaSets, buildReplicaSet({ uid: 'rs' }))],
      labels: { app: 'web' },
    };
    harness.client.put(resources.replicaSets, buildReplicaSet({ uid: 'rs', spec: { replicas: 2 } }));
    harness.client.put(
      resources.pods,
      buildPod({ ...owned, name: 'ready', nodeName: 'n' }),
      buildPod({ ...owned, name: 'unscheduled' }),
      buildPod({ ...owned, name: 'not-ready', nodeName: 'n', ready: false }),
      buildPod({
        ...owned,
        name: 'cheap',
        nodeName: 'n',
        annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-1' },
      }),
    );
    await harness.start(startReplicaSetController);
    const left = pods().filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    expect(left.map(({ metadata }) => metadata?.name)).toEqual(['cheap', 'ready']);
    scale(1);
    await harness.settle();
    expect(pods().find(({ metadata }) => metadata?.name === 'cheap')?.metadata?.deletionTimestamp).toBeDefined();
  });

  test('a pod that is deleted or has finished is replaced', async () => {
    harness.client.put(resources.replicaSets, buildReplicaSet({ spec: { replicas: 2 } }));
    startFakeKubelet(harness);
    await harness.start(startReplicaSetController);
    const [first, second] = pods();
    await harness.client.delete(resources.pods, { namespace: 'default', name: first!.metadata!.name! });
    harness.client.put(resources.pods, { ...second!, status: { phase: 'Failed' } });
    await harness.settle();
    const running = pods().filter(({ status }) => status?.phase === 'Running');
    expect(running).toHaveLength(2);
    expect(running.map(({ metadata }) => metadata?.uid)).not.toContain(first?.metadata?.uid);
  });

  test('an orphan that matches is adopted instead of creating one, a pod that no longer matches is released', async () => {
    harness.client.put(resources.replicaSets, buildReplicaSet({ uid: 'rs', spec: { replicas: 1 } }));
    harness.client.put(
      resources.pods,
      buildPod({ name: 'orphan', labels: { app: 'web' } }),
      buildPod({ name: 'other', labels: { app: 'x' } }),
    );
    await harness.start(startReplicaSetController);
    expect(pods().map(({ metadata }) => [metadata?.name, metadata?.ownerReferences?.[0]?.uid])).toEqual([
      ['orphan', 'rs'],
      ['other', undefined],
    ]);
    const orphan = harness.client.peek(resources.pods, 'default/orphan')!;
    harness.client.put(resources.pods, { ...orphan, metadata: { ...orphan.metadata, labels: { app: 'released' } } });
    await harness.settle();
    expect(harness.client.peek(resources.pods, 'default/orphan')?.metadata?.ownerReferences).toEqual([]);
    expect(pods()).toHaveLength(3);
  });

  test('a ReplicaSet that is being deleted creates nothing', async () => {
    harness.client.put(
      resources.replicaSets,
      buildReplicaSet({ deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['foregroundDeletion'] }),
    );
    await harness.start(startReplicaSetController);
    expect(pods()).toEqual([]);
  });

  test('a refused creation shows as a condition and an event, and is tried again', async () => {
    let refuse = true;
    harness.client.react(({ verb, resource }) =>
      refuse && verb === 'create' && resource === 'pods'
        ? new ApiStatusError('Forbidden', 'exceeded quota')
        : undefined,
    );
    harness.client.put(resources.replicaSets, buildReplicaSet({ spec: { replicas: 5 } }));
    await harness.start(startReplicaSetController);
    const attempts = harness.client.actions.filter(({ verb, resource }) => verb === 'create' && resource === 'pods');
    expect(attempts.length).toBeLessThan(5);
    expect(set().status?.conditions).toMatchObject([
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'exceeded quota' },
    ]);
    expect(await harness.events()).toContain('FailedCreate Error creating: exceeded quota');
    refuse = false;
    await harness.clock.step(10_000);
    expect(pods()).toHaveLength(5);
    expect(set().status?.conditions).toBeUndefined();
    expect(harness.failures[0]).toMatchObject({ controller: 'replicaset', key: 'default/web' });
  });

  test('a namespace that is being deleted is no failure', async () => {
    const causes = [{ reason: 'NamespaceTerminating', message: '', field: '' }];
    harness.client.react(({ verb }) =>
      verb === 'create' ? new ApiStatusError('Forbidden', 'terminating', { causes }) : undefined,
    );
    harness.client.put(resources.replicaSets, buildReplicaSet());
    await harness.start(startReplicaSetController);
    await harness.clock.step(60_000);
    expect(harness.failures).toEqual([]);
  });

  test('a lost watch leads to no second set of pods', async () => {
    harness.client.put(resources.replicaSets, buildReplicaSet({ spec: { replicas: 3 } }));
    startFakeKubelet(harness);
    await harness.start(startReplicaSetController);
    harness.client.endWatches(new Error('gone'));
    scale(6);
    await harness.clock.step(1000);
    expect(pods()).toHaveLength(6);
  });
});
