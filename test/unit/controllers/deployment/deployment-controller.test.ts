import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startDeploymentController } from '../../../../src/controllers/deployment/deployment-controller.ts';
import { startReplicaSetController } from '../../../../src/controllers/replica-set/replica-set-controller.ts';
import type { DeploymentSpec, Pod, PodTemplateSpec } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { buildDeployment, buildPodTemplate, buildReplicaSet } from '../../../helpers/build-objects.ts';
import { ControllerHarness, startFakeKubelet } from '../../../helpers/controller-harness.ts';

describe('Deployment', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
  });
  afterEach(() => harness[Symbol.dispose]());

  const start = () => harness.start(startDeploymentController, startReplicaSetController);
  const web = () => harness.client.peek(resources.deployments, 'default/web')!;
  const sets = () => harness.client.all(resources.replicaSets);
  const pods = () => harness.client.all(resources.pods);
  const setOf = (image: string) => sets().find(({ spec }) => spec?.template?.spec?.containers[0]?.image === image);
  const condition = (type: string) => web().status?.conditions?.find((found) => found.type === type);
  const change = async (spec: Partial<DeploymentSpec>) => {
    await harness.client.update(resources.deployments, { ...web(), spec: { ...web().spec!, ...spec } });
    await harness.settle();
  };
  const imageOf = (pod: Pod) => pod.spec?.containers[0]?.image;

  test('a new Deployment gets one ReplicaSet of revision 1 and becomes complete', async () => {
    harness.client.put(resources.deployments, buildDeployment({ uid: 'd', spec: { replicas: 3 } }));
    startFakeKubelet(harness);
    await start();
    expect(sets()).toHaveLength(1);
    const [set] = sets();
    const hash = set!.metadata!.labels!['pod-template-hash']!;
    expect(set).toMatchObject({
      metadata: {
        name: `web-${hash}`,
        annotations: { 'deployment.kubernetes.io/revision': '1' },
        ownerReferences: [{ kind: 'Deployment', uid: 'd' }],
      },
      spec: { replicas: 3, selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } } },
    });
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(web().metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    expect(web().status).toMatchObject({
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      unavailableReplicas: 0,
      observedGeneration: 1,
    });
    expect(condition('Available')).toMatchObject({ status: 'True', reason: 'MinimumReplicasAvailable' });
    expect(condition('Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "web-${hash}" has successfully progressed.`,
    });
    expect(await harness.events()).toContain(`ScalingReplicaSet Scaled up replica set web-${hash} from 0 to 3`);
    expect(harness.failures).toEqual([]);
  });

  test('a rolling update never has more than maxSurge beyond nor more than maxUnavailable below', async () => {
    harness.client.put(
      resources.deployments,
      buildDeployment({
        spec: { replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 3 } } },
      }),
    );
    startFakeKubelet(harness);
    await start();
    let most = 0;
    let fewest = 10;
    harness.informers.for(resources.pods).onChange(() => {
      const alive = pods().filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
      most = Math.max(most, alive.length);
      fewest = Math.min(fewest, alive.filter(({ status }) => status?.conditions?.[0]?.status === 'True').length);
    });
    await change({ template: buildPodTemplate('v2') });
    expect(pods().map(imageOf)).toEqual(Array(10).fill('v2'));
    expect(most).toBeLessThanOrEqual(12);
    expect(fewest).toBeGreaterThanOrEqual(7);
    expect(most).toBeGreaterThan(10);
    expect(setOf('agnhost')?.spec?.replicas).toBe(0);
    expect(setOf('v2')?.metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
  });

  test('an update whose pods do not become ready stops at maxUnavailable and times out', async () => {
    harness.client.put(resources.deployments, buildDeployment({ spec: { replicas: 4, progressDeadlineSeconds: 60 } }));
    startFakeKubelet(harness, { ready: (pod) => imageOf(pod) !== 'bad' });
    await start();
    await change({ template: buildPodTemplate('bad') });
    expect(setOf('agnhost')?.status?.availableReplicas).toBe(3);
    expect(setOf('bad')?.spec?.replicas).toBe(2);
    expect(condition('Progressing')).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' });
    await harness.clock.step(70_000);
    expect(condition('Progressing')).toMatchObject({
      status: 'False',
      reason: 'ProgressDeadlineExceeded',
      message: expect.stringContaining('has timed out progressing.'),
    });
    expect(condition('Available')).toMatchObject({ status: 'True' });
  });

  test('rolling back takes up the old ReplicaSet again under a new revision', async () => {
    harness.client.put(resources.deployments, buildDeployment());
    startFakeKubelet(harness);
    await start();
    await change({ template: buildPodTemplate('v2') });
    await change({ template: buildPodTemplate('agnhost') });
    expect(sets()).toHaveLength(2);
    expect(setOf('agnhost')?.metadata?.annotations).toMatchObject({
      'deployment.kubernetes.io/revision': '3',
      'deployment.kubernetes.io/revision-history': '1',
    });
    expect(web().metadata?.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
    expect(pods().map(imageOf)).toEqual(['agnhost', 'agnhost']);
  });

  test('a paused Deployment is resized but not rolled out, and goes on when resumed', async () => {
    harness.client.put(resources.deployments, buildDeployment());
    startFakeKubelet(harness);
    await start();
    await change({ paused: true, replicas: 3, template: buildPodTemplate('v2') });
    expect(pods().map(imageOf)).toEqual(['agnhost', 'agnhost', 'agnhost']);
    expect(condition('Progressing')).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused' });
    await change({ paused: false });
    expect(pods().map(imageOf)).toEqual(['v2', 'v2', 'v2']);
    expect(condition('Progressing')).toMatchObject({ reason: 'NewReplicaSetAvailable' });
  });

  test('Recreate waits until the last old pod is gone', async () => {
    harness.client.put(resources.deployments, buildDeployment({ spec: { strategy: { type: 'Recreate' } } }));
    startFakeKubelet(harness);
    await start();
    const seen = new Set<string>();
    harness.informers.for(resources.pods).onChange(() => seen.add([...new Set(pods().map(imageOf))].join('+')));
    await change({ template: buildPodTemplate('v2') });
    expect(pods().map(imageOf)).toEqual(['v2', 'v2']);
    expect([...seen]).not.toContain('agnhost+v2');
    expect(seen.has('')).toBe(true);
  });

  test('a change of size in the middle of a rollout is shared out in proportion', async () => {
    harness.client.put(
      resources.deployments,
      buildDeployment({
        spec: { replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } },
      }),
    );
    startFakeKubelet(harness, { ready: (pod) => imageOf(pod) !== 'bad' });
    await start();
    await change({ template: buildPodTemplate('bad') });
    expect([setOf('agnhost')?.spec?.replicas, setOf('bad')?.spec?.replicas]).toEqual([8, 5]);
    await change({ replicas: 15 });
    expect([setOf('agnhost')?.spec?.replicas, setOf('bad')?.spec?.replicas]).toEqual([11, 7]);
  });

  test('old ReplicaSets beyond revisionHistoryLimit are removed', async () => {
    harness.client.put(resources.deployments, buildDeployment({ spec: { revisionHistoryLimit: 2 } }));
    startFakeKubelet(harness);
    await start();
    for (const image of ['v2', 'v3', 'v4', 'v5']) await change({ template: buildPodTemplate(image) });
    expect(
      sets()
        .map(({ spec }) => spec?.template?.spec?.containers[0]?.image)
        .sort(),
    ).toEqual(['v3', 'v4', 'v5']);
  });

  test('scaling to zero and back', async () => {
    harness.client.put(resources.deployments, buildDeployment());
    startFakeKubelet(harness);
    await start();
    await change({ replicas: 0 });
    expect(pods()).toEqual([]);
    expect(web().status).toMatchObject({ replicas: 0, availableReplicas: 0 });
    await change({ replicas: 2 });
    expect(pods()).toHaveLength(2);
  });

  test('an orphaned ReplicaSet with the same template is adopted, not doubled', async () => {
    const template: PodTemplateSpec = {
      ...buildPodTemplate(),
      metadata: { labels: { app: 'web', 'pod-template-hash': 'abc' } },
    };
    const selector = { matchLabels: { app: 'web', 'pod-template-hash': 'abc' } };
    harness.client.put(
      resources.replicaSets,
      buildReplicaSet({ name: 'web-abc', labels: { app: 'web' }, spec: { replicas: 2, template, selector } }),
    );
    harness.client.put(resources.deployments, buildDeployment({ uid: 'd' }));
    startFakeKubelet(harness);
    await start();
    expect(sets().map(({ metadata }) => [metadata?.name, metadata?.ownerReferences?.[0]?.uid])).toEqual([
      ['web-abc', 'd'],
    ]);
  });

  test('a hash collision is told in the status and another name is taken', async () => {
    harness.client.put(resources.deployments, buildDeployment());
    await start();
    const { name } = sets()[0]!.metadata!;
    harness.client.remove(resources.replicaSets, `default/${name}`);
    harness.client.put(
      resources.replicaSets,
      buildReplicaSet({
        name: name!,
        spec: { replicas: 0, selector: { matchLabels: { app: 'other' } }, template: buildPodTemplate('other') },
      }),
    );
    await harness.clock.step(1000);
    expect(web().status?.collisionCount).toBe(1);
    expect(setOf('agnhost')?.metadata?.name).not.toBe(name);
  });

  test('the desired size, annotations and minReadySeconds reach the ReplicaSet', async () => {
    harness.client.put(
      resources.deployments,
      buildDeployment({ annotations: { note: 'hi', 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }),
    );
    startFakeKubelet(harness);
    await start();
    await change({ minReadySeconds: 5 });
    const { metadata, spec } = sets()[0]!;
    expect(spec?.minReadySeconds).toBe(5);
    expect(metadata?.annotations).toEqual({
      note: 'hi',
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '2',
      'deployment.kubernetes.io/max-replicas': '3',
    });
  });

  test('a foreground deletion leaves the ReplicaSets to the garbage collector', async () => {
    harness.client.put(
      resources.deployments,
      buildDeployment({ deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['foregroundDeletion'] }),
    );
    await start();
    expect(sets()).toEqual([]);
  });
});
