import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent } from '../../../src/kube/client.ts';
import type { ConfigMap, Service, TokenRequest } from '../../../src/kube/generated/types.ts';
import { resources } from '../../../src/kube/resources.ts';
import { EtcdStore } from '../../../src/store/etcd/etcd-store.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { EtcdPeer, findEtcd, NO_ETCD } from '../../helpers/etcd-peer.ts';
import { realClock as clock } from '../../helpers/real-clock.ts';

const etcd = findEtcd();
const configMap = (name: string, text: string): ConfigMap => ({
  metadata: { name, namespace: 'default' },
  data: { text },
});
const service = (name: string): Service => ({
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }] },
});

/** Resolves with the first object that `wanted` takes out of a watch. */
async function firstSeen(client: KubeClient, resourceVersion: string, wanted: (object: ConfigMap) => boolean) {
  const { promise, resolve, reject } = Promise.withResolvers<ConfigMap>();
  const onEvent = ({ object }: WatchEvent<ConfigMap>): void => {
    if (wanted(object)) resolve(object);
  };
  using _watch = client.watch(resources.configMaps, { namespace: 'default', resourceVersion }, onEvent, reject);
  return await promise;
}

describe.skipIf(etcd === undefined)(`two API servers on one etcd [${NO_ETCD}]`, () => {
  const stack = new AsyncDisposableStack();
  let one: ApiServerLab;
  let two: ApiServerLab;
  beforeAll(async () => {
    const peer = stack.use(await EtcdPeer.start(etcd!));
    const open = async () => {
      const store = stack.use(await EtcdStore.open({ endpoints: [peer.endpoint], clock }));
      return stack.use(await startApiServerLab({ store }));
    };
    // Both find nothing there and write what every cluster has.
    [one, two] = await Promise.all([open(), open()]);
  });
  afterAll(() => stack.disposeAsync());

  it('show at once what the other was told, in reads, lists and watches', async () => {
    const { resourceVersion } = await two.client.list(resources.configMaps);
    const seen = firstSeen(two.client, resourceVersion, ({ data }) => data?.['text'] === 'changed');
    const created = await one.client.create(resources.configMaps, configMap('shared', 'new'));
    const { items } = await two.client.list(resources.configMaps, { namespace: 'default' });
    expect(items.find(({ metadata }) => metadata?.name === 'shared')?.metadata).toEqual(created.metadata);
    const changed = await two.client.update(resources.configMaps, { ...created, data: { text: 'changed' } });
    expect((await seen).metadata?.resourceVersion).toBe(changed.metadata?.resourceVersion);
    // A version that the other has replaced is a conflict, also where the event has not come yet.
    await expect(one.client.update(resources.configMaps, { ...created, data: { text: 'late' } })).rejects.toMatchObject(
      { status: 409 },
    );
    await one.client.delete(resources.configMaps, { namespace: 'default', name: 'shared' });
    const after = await two.client.list(resources.configMaps, { namespace: 'default' });
    expect(after.items.filter(({ metadata }) => metadata?.name === 'shared')).toEqual([]);
  });

  it('give out no cluster IP and no node port twice', async () => {
    const made = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        (i % 2 === 0 ? one : two).client.create<Service>(resources.services, {
          ...service(`s-${i}`),
          spec: { type: 'NodePort', ports: [{ port: 80 }] },
        }),
      ),
    );
    const addresses = made.map(({ spec }) => spec?.clusterIP);
    const ports = made.map(({ spec }) => spec?.ports?.[0]?.nodePort);
    expect(new Set(addresses).size).toBe(60);
    expect(new Set(ports).size).toBe(60);
  });

  it("take each other's service account tokens", async () => {
    const account = { metadata: { name: 'walker', namespace: 'default' } };
    await one.client.create(resources.serviceAccounts, account);
    const path = '/api/v1/namespaces/default/serviceaccounts/walker/token';
    const headers = { 'content-type': 'application/json' };
    const issued = await fetch(`${one.plainUrl}${path}`, { method: 'POST', headers, body: '{"spec":{}}' });
    const { status } = (await issued.json()) as TokenRequest;
    const review = await fetch(`${two.plainUrl}/apis/authentication.k8s.io/v1/tokenreviews`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ spec: { token: status?.token } }),
    });
    expect(await review.json()).toMatchObject({
      status: { authenticated: true, user: { username: 'system:serviceaccount:default:walker' } },
    });
  });

  it('serve the custom kinds that the other was told of', async () => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'boats.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'boats', singular: 'boat', kind: 'Boat', listKind: 'BoatList' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
      },
    };
    const headers = { 'content-type': 'application/json' };
    const made = await fetch(`${one.plainUrl}/apis/apiextensions.k8s.io/v1/customresourcedefinitions`, {
      method: 'POST',
      headers,
      body: JSON.stringify(definition),
    });
    expect(made.status).toBe(201);
    await expect
      .poll(async () => (await fetch(`${two.plainUrl}/apis/example.com/v1/boats`)).status, { timeout: 30_000 })
      .toBe(200);
  });
});
