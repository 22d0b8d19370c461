import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { AppsV1Api, CoreV1Api, Exec, KubeConfig, makeInformer, type V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster } from '../../../src/index.ts';

const stateRoot = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(stateRoot, { recursive: true, force: true }));

describe('@kubernetes/client-node', () => {
  let cluster: Cluster;
  let config: KubeConfig;
  let core: CoreV1Api;

  beforeAll(async () => {
    cluster = await createCluster({ nodes: 1, stateRoot });
    config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });
  afterAll(() => cluster?.down());

  it('creates, lists and deletes, and gets a 409 for a name that is taken', async () => {
    const body = { metadata: { name: 'a' }, data: { key: 'value' } };
    await core.createNamespacedConfigMap({ namespace: 'default', body });
    await expect(core.createNamespacedConfigMap({ namespace: 'default', body })).rejects.toMatchObject({ code: 409 });
    const { items } = await core.listNamespacedConfigMap({ namespace: 'default' });
    expect(items.map(({ metadata }) => metadata?.name)).toContain('a');
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'a' });
  });

  it('an informer sees pods come, change and go', async () => {
    const seen: string[] = [];
    const informer = makeInformer(config, '/api/v1/namespaces/default/pods', () =>
      core.listNamespacedPod({ namespace: 'default' }),
    );
    for (const verb of ['add', 'delete'] as const)
      informer.on(verb, (pod) => seen.push(`${verb} ${pod.metadata?.name}`));
    const ready = Promise.withResolvers<void>();
    informer.on('update', (pod) => {
      if (pod.status?.phase === 'Running') ready.resolve();
    });
    await informer.start();
    await core.createNamespacedPod({
      namespace: 'default',
      body: { metadata: { name: 'watched' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
    });
    await ready.promise;
    await core.deleteNamespacedPod({ namespace: 'default', name: 'watched', gracePeriodSeconds: 0 });
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['add watched', 'delete watched']);
    await informer.stop();
  });

  it('drives a Deployment', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: 'web' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'nginx' }] } };
    await apps.createNamespacedDeployment({
      namespace: 'default',
      body: { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } },
    });
    await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available' });
    await expect
      .poll(
        async () =>
          (await apps.readNamespacedDeployment({ namespace: 'default', name: 'web' })).status?.availableReplicas,
      )
      .toBe(2);
  });

  it('runs a command in a pod and learns its exit code', async () => {
    await cluster.apply(
      '{apiVersion: v1, kind: Pod, metadata: {name: shell}, spec: {containers: [{name: c, image: busybox}]}}',
    );
    await cluster.wait({ resource: 'pods', name: 'shell', for: 'Ready' });
    const stdout = new PassThrough();
    const status = Promise.withResolvers<V1Status>();
    await new Exec(config).exec(
      'default',
      'shell',
      'c',
      ['sh', '-c', 'hostname; exit 4'],
      stdout,
      null,
      null,
      false,
      (result) => status.resolve(result),
    );
    expect((await status.promise).details?.causes?.[0]).toMatchObject({ reason: 'ExitCode', message: '4' });
    expect(stdout.read()?.toString()).toBe('shell\n');
  });
});
