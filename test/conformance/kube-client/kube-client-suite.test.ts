import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HttpKubeClient } from '../../../src/agents/kube-client/http-kube-client.ts';
import { parseKubeconfig } from '../../../src/agents/kube-client/read-kubeconfig.ts';
import type { KubeClient, WatchEvent } from '../../../src/kube/client.ts';
import type { ConfigMap, Deployment } from '../../../src/kube/generated/types.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { CREDENTIALS, type ServedApi, serveApi } from '../../helpers/served-api.ts';
import { systemClock } from '../../helpers/system-clock.ts';

// A kubeconfig of another API server (its objects are removed afterwards) joins the suite by KUBE_API=/path/to/kubeconfig.
const FOREIGN = process.env['KUBE_API'];
const { configMaps, deployments, namespaces } = resources;

let api: ServedApi;
beforeAll(async () => {
  api = await serveApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const httpClient = (kubeconfig: string): HttpKubeClient & Partial<Disposable> =>
  new HttpKubeClient({
    connection: parseKubeconfig(kubeconfig, { file: 'kubeconfig' }),
    clock: systemClock,
    random: Math.random,
    userAgent: 'suite/1',
  });

const WAYS = [
  'in process',
  ...CREDENTIALS.map((credential) => `HTTP with ${credential}`),
  ...(FOREIGN ? ['foreign'] : []),
];

function clientOf(way: string): KubeClient & Partial<Disposable> {
  if (way === 'in process') return api.server.client('suite');
  if (way === 'foreign') return httpClient(readFileSync(FOREIGN!, 'utf8'));
  return httpClient(api.kubeconfig(CREDENTIALS.find((credential) => way.endsWith(credential))!));
}

describe.each(WAYS)('the API %s', (way) => {
  const namespace = `suite-${WAYS.indexOf(way)}`;
  let client: KubeClient & Partial<Disposable>;
  beforeAll(async () => {
    client = clientOf(way);
    await client.create(namespaces, { metadata: { name: namespace } });
  });
  afterAll(async () => {
    await client.delete(namespaces, { name: namespace });
    client[Symbol.dispose]?.();
  });
  beforeEach(async () => {
    for (const { metadata } of (await client.list(configMaps, { namespace })).items) {
      await client.delete(configMaps, { namespace, name: metadata!.name! });
    }
  });
  const build = (name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): ConfigMap => ({
    metadata: { name, namespace, labels },
    data,
  });
  const create = (name: string, data?: Record<string, string>): Promise<ConfigMap> =>
    client.create(configMaps, build(name, data));
  const nameOf = ({ metadata }: ConfigMap): string => metadata!.name!;

  test('gives back what was created, with its kind', async () => {
    await create('a', { key: 'ä\n"' });
    expect(await client.get(configMaps, { namespace, name: 'a' })).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      data: { key: 'ä\n"' },
    });
  });

  test('says by reason what does not exist, exists, or is wrong', async () => {
    await create('a');
    await expect(client.get(configMaps, { namespace, name: 'b' })).rejects.toMatchObject({
      reason: 'NotFound',
      status: 404,
      details: { name: 'b', kind: 'configmaps' },
    });
    await expect(create('a')).rejects.toMatchObject({ reason: 'AlreadyExists', status: 409 });
    await expect(create('A_')).rejects.toMatchObject({ reason: 'Invalid', status: 422 });
  });

  test('refuses an update of an old version', async () => {
    const first = await create('a', { n: '1' });
    await client.update(configMaps, { ...first, data: { n: '2' } });
    await expect(client.update(configMaps, { ...first, data: { n: '3' } })).rejects.toMatchObject({
      reason: 'Conflict',
    });
  });

  test('patches in each way', async () => {
    await create('a', { n: '1' });
    const key = { namespace, name: 'a' };
    const data = async (): Promise<unknown> => (await client.get(configMaps, key)).data;
    await client.patch(configMaps, key, { type: 'merge', body: { data: { m: '1' } } });
    expect(await data()).toEqual({ n: '1', m: '1' });
    await client.patch(configMaps, key, { type: 'json', body: [{ op: 'remove', path: '/data/n' }] });
    expect(await data()).toEqual({ m: '1' });
    await client.patch(configMaps, key, { type: 'strategic', body: { data: { s: '1' } } });
    expect(await data()).toEqual({ m: '1', s: '1' });
    const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace }, data: { m: '2' } };
    const apply = { type: 'apply', body: applied } as const;
    await expect(client.patch(configMaps, key, apply, { fieldManager: 'other' })).rejects.toMatchObject({
      status: 409,
    });
    await client.patch(configMaps, key, { ...apply, force: true }, { fieldManager: 'other' });
    expect(await data()).toEqual({ m: '2', s: '1' });
  });

  test('writes nothing in a dry run', async () => {
    await client.create(configMaps, build('a'), { dryRun: true });
    await expect(client.get(configMaps, { namespace, name: 'a' })).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test('reaches subresources', async () => {
    const labels = { app: 'web' };
    const deployment: Deployment = {
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'echo' }] } },
      },
    };
    const made = await client.create(deployments, deployment);
    const scale = { metadata: { name: 'web', namespace }, spec: { replicas: 3 } };
    await client.update(deployments, scale as unknown as Deployment, { subresource: 'scale' });
    await client.patch(
      deployments,
      { namespace, name: 'web' },
      { type: 'merge', body: { spec: { replicas: 9 }, status: { observedGeneration: 7 } } },
      { subresource: 'status' },
    );
    const { spec, status } = await client.get(deployments, { namespace, name: 'web' });
    expect([spec?.replicas, status?.observedGeneration]).toEqual([3, 7]);
    await client.delete(deployments, { namespace, name: 'web' }, { uid: made.metadata!.uid! });
  });

  test('deletes only the object that is meant', async () => {
    await create('a');
    const key = { namespace, name: 'a' };
    await expect(client.delete(configMaps, key, { uid: 'another' })).rejects.toMatchObject({ reason: 'Conflict' });
    await client.delete(configMaps, key);
    await expect(client.delete(configMaps, key)).rejects.toMatchObject({ reason: 'NotFound' });
  });

  test('lists more objects than fit on a page, and what selectors choose', async () => {
    const names = Array.from({ length: 1_050 }, (_, i) => `n${String(i).padStart(4, '0')}`);
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(
        names.slice(i, i + 50).map((name) => client.create(configMaps, build(name, {}, { last: name.at(-1)! }))),
      );
    }
    const { items, resourceVersion } = await client.list(configMaps, { namespace });
    expect(items.map(nameOf).sort()).toEqual(names);
    expect(items.every(({ kind, apiVersion }) => kind === 'ConfigMap' && apiVersion === 'v1')).toBe(true);
    expect(Number(resourceVersion)).toBeGreaterThan(0);
    const some = await client.list(configMaps, { namespace, labelSelector: 'last in (3,4)' });
    expect(some.items).toHaveLength(210);
    const one = await client.list(configMaps, { namespace, fieldSelector: 'metadata.name=n0007' });
    expect(one.items.map(nameOf)).toEqual(['n0007']);
    const all = await client.list(configMaps, { labelSelector: 'last=0' });
    expect(all.items).toHaveLength(105);
  });

  test('tells every change after a list, in order, until the watch is closed', async () => {
    const { resourceVersion } = await client.list(configMaps, { namespace });
    const seen: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const ends: unknown[] = [];
    const onEvent = ({ type, object }: WatchEvent<ConfigMap>): void => {
      if (type === 'BOOKMARK') return;
      seen.push(`${type} ${object.metadata?.name} ${object.data?.['n']}`);
      if (type === 'DELETED') resolve();
    };
    const watch = client.watch(configMaps, { namespace, resourceVersion }, onEvent, (cause) => ends.push(cause));
    await create('a', { n: '1' });
    await client.patch(configMaps, { namespace, name: 'a' }, { type: 'merge', body: { data: { n: '2' } } });
    await client.delete(configMaps, { namespace, name: 'a' });
    await promise;
    expect(seen).toEqual(['ADDED a 1', 'MODIFIED a 2', 'DELETED a 2']);
    watch.close();
    watch.close();
    await create('b');
    expect(seen).toHaveLength(3);
    expect(ends).toEqual([]);
  });

  test('feeds informers', async () => {
    await create('a');
    using informers = new SharedInformers(client, systemClock);
    const informer = informers.for(configMaps, { namespace });
    const gone = Promise.withResolvers<void>();
    informer.onChange(({ current }) => current === undefined && gone.resolve());
    await informer.start();
    expect(informer.get(`${namespace}/a`)).toBeDefined();
    await client.delete(configMaps, { namespace, name: 'a' });
    await gone.promise;
    expect(informer.get(`${namespace}/a`)).toBeUndefined();
  });
});
