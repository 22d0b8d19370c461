import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EndpointSlice, Node, Pod } from '../../../src/kube/generated/types.ts';
import type { ApiRequests } from '../../helpers/api-request.ts';
import { NetworkScenario } from '../../helpers/network-scenario.ts';

const core = '/api/v1/namespaces/default';
const discovery = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

const withCondition = (status: string): object => ({
  loadBalancer: {},
  conditions: [{ type: 'Example', status, reason: 'Test', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
});

interface Collection {
  readonly path: string;
  readonly all: string;
  readonly object: (name: string) => object;
  /** What its status is made, and then. */
  readonly statuses?: readonly [object, object];
}

describe('the API of networking', () => {
  let lab: NetworkScenario;
  let api: ApiRequests;

  beforeAll(async () => {
    lab = await NetworkScenario.create();
    api = lab.api;
    await lab.netexec(['web-1', 'web-2'], 'web');
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const slicesOf = async (service: string): Promise<readonly EndpointSlice[]> =>
    (await api.get(`${discovery}?labelSelector=kubernetes.io/service-name=${service}`)).body.items;
  const addressesOf = async (service: string): Promise<readonly string[]> =>
    (await slicesOf(service))
      .flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses))
      .sort();
  const podIPs = async (): Promise<readonly string[]> =>
    (await lab.cluster.get<Pod>('pods'))
      .filter(({ metadata }) => metadata?.labels?.['app'] === 'web')
      .map(({ status }) => status?.podIP ?? '')
      .sort();

  it('N09 N10 EndpointSlices and Endpoints come for the pods of a selector, and go with the Service', async () => {
    await lab.service('web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] });
    await expect.poll(() => addressesOf('web')).toEqual(await podIPs());
    const endpoints = async () => (await api.get(`${core}/endpoints/web`)).body;
    await expect
      .poll(async () => (await endpoints()).subsets?.[0].addresses.map(({ ip }: { ip: string }) => ip).sort())
      .toEqual(await podIPs());
    await api.send('DELETE', `${core}/services/web`);
    await expect.poll(() => slicesOf('web')).toEqual([]);
    await expect.poll(async () => (await endpoints()).reason).toBe('NotFound');
  });

  it('N11 default/kubernetes points at the API server', async () => {
    const [slice] = await slicesOf('kubernetes');
    expect(slice?.ports).toEqual([{ name: 'https', port: 6443, protocol: 'TCP' }]);
    const { body } = await api.get(`${core}/endpoints/kubernetes`);
    expect(body.subsets[0].addresses[0].ip).toBe(slice?.endpoints?.[0]?.addresses[0]);
  });

  // N15, N16 and N12: every verb, discovery and the watch events of one kind after another.
  const collections: Readonly<Record<string, Collection>> = {
    'N12 EndpointSlice': {
      path: discovery,
      all: '/apis/discovery.k8s.io/v1/endpointslices',
      object: (name) => ({ metadata: { name, labels: { of: 'test' } }, addressType: 'IPv4', endpoints: [], ports: [] }),
    },
    'N15 Ingress': {
      path: '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
      all: '/apis/networking.k8s.io/v1/ingresses',
      object: (name) => ({
        metadata: { name, labels: { of: 'test' } },
        spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
      }),
      statuses: [{ loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } }, { loadBalancer: {} }],
    },
    'N16 IngressClass': {
      path: '/apis/networking.k8s.io/v1/ingressclasses',
      all: '/apis/networking.k8s.io/v1/ingressclasses',
      object: (name) => ({ metadata: { name, labels: { of: 'test' } }, spec: { controller: 'example.com/none' } }),
    },
    'N32 N33 Service': {
      path: `${core}/services`,
      all: '/api/v1/services',
      object: (name) => ({ metadata: { name, labels: { of: 'test' } }, spec: { ports: [{ port: 80 }] } }),
      statuses: [withCondition('True'), withCondition('False')],
    },
    'N41 Endpoints': {
      path: `${core}/endpoints`,
      all: '/api/v1/endpoints',
      object: (name) => ({
        metadata: { name, labels: { of: 'test' } },
        subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
      }),
    },
  };

  it.each(Object.entries(collections))('%s has every verb, and its watchers see them', async (_, collection) => {
    const { path, all, object, statuses } = collection;
    const [, group = ''] = /^(\/api[^/]*\/(?:[^/]+\/)?v1)/.exec(path) ?? [];
    const resource = path.split('/').at(-1);
    // A name of its own: the controller of Endpoints removes those of a Service that went.
    const [one, two] = [`${resource}-one`, `${resource}-two`];
    const { body: served } = await api.get(group);
    expect(served.resources.find(({ name }: { name: string }) => name === resource)?.verbs.toSorted()).toEqual([
      'create',
      'delete',
      'deletecollection',
      'get',
      'list',
      'patch',
      'update',
      'watch',
    ]);
    const selected = `${all}?labelSelector=of%3Dtest`;
    using watch = await api.watch(`${selected}&watch=true`);
    const created = await api.send('POST', path, object(one));
    expect(created.status).toBe(201);
    expect((await api.send('POST', path, object(one))).body.reason).toBe('AlreadyExists');
    const { body: live } = await api.get(`${path}/${one}`);
    expect(live.metadata.uid).toBe(created.body.metadata.uid);
    const annotated = { ...live, metadata: { ...live.metadata, annotations: { step: 'updated' } } };
    expect((await api.send('PUT', `${path}/${one}`, annotated)).status).toBe(200);
    expect((await api.send('PUT', `${path}/${one}`, annotated)).body.reason).toBe('Conflict');
    const patched = await api.patch(`${path}/${one}`, { metadata: { annotations: { step: 'patched' } } });
    expect(patched.body.metadata.annotations.step).toBe('patched');
    if (statuses !== undefined) await writeStatus(`${path}/${one}`, ...statuses);
    expect((await api.send('POST', path, object(two))).status).toBe(201);
    expect((await api.get(selected)).body.items).toHaveLength(2);
    expect((await api.send('DELETE', `${path}/${one}`)).status).toBe(200);
    expect((await api.get(`${path}/${one}`)).status).toBe(404);
    expect((await api.send('DELETE', `${path}?labelSelector=of%3Dtest`)).status).toBe(200);
    await expect.poll(async () => (await api.get(selected)).body.items).toEqual([]);
    const changes = [
      `MODIFIED ${one}`,
      `MODIFIED ${one}`,
      ...(statuses === undefined ? [] : Array(3).fill(`MODIFIED ${one}`)),
    ];
    await expect
      .poll(() => watch.seen)
      .toEqual([`ADDED ${one}`, ...changes, `ADDED ${two}`, `DELETED ${one}`, `DELETED ${two}`]);
  });

  // PATCH, then PUT, then what a client without the subresource tries.
  async function writeStatus(path: string, first: object, second: object): Promise<void> {
    const patched = await api.patch(`${path}/status`, { status: first, metadata: { annotations: { by: 'status' } } });
    expect(patched.body.status).toEqual(first);
    const { body } = await api.get(`${path}/status`);
    expect(body.status).toEqual(first);
    const put = await api.send('PUT', `${path}/status`, { ...body, status: second });
    expect(put.body.status).toEqual(second);
    const ignored = await api.patch(path, { status: first, metadata: { annotations: { step: 'after' } } });
    expect(ignored.body.status).toEqual(second);
  }

  it('N13 hand-made Endpoints are mirrored through create, update and delete', async () => {
    await lab.service('manual', { ports: [{ port: 80 }] });
    const subsets = (ip: string) => [{ addresses: [{ ip }], ports: [{ port: 8080, protocol: 'TCP' }] }];
    await api.send('POST', `${core}/endpoints`, { metadata: { name: 'manual' }, subsets: subsets('192.0.2.10') });
    await expect.poll(() => addressesOf('manual')).toEqual(['192.0.2.10']);
    await api.patch(`${core}/endpoints/manual`, { subsets: subsets('192.0.2.11') });
    await expect.poll(() => addressesOf('manual')).toEqual(['192.0.2.11']);
    await api.send('DELETE', `${core}/endpoints/manual`);
    await expect.poll(() => addressesOf('manual')).toEqual([]);
  });

  it('N21 N22 pods and Services are reached through the API server, by every method and with a path', async () => {
    await lab.service('proxied', { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] });
    await expect.poll(() => addressesOf('proxied')).toHaveLength(2);
    for (const target of [
      'pods/web-1:8080',
      'pods/http:web-1:8080',
      'services/proxied:80',
      'services/http:proxied:http',
    ]) {
      const at = `${core}/${target}/proxy`;
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const body = ['POST', 'PUT', 'PATCH'].includes(method) ? 'text' : undefined;
        const answer = await api.send(method, `${at}/echo?msg=through`, body, 'text/plain');
        expect(answer, `${method} ${at}`).toEqual({ status: 200, body: method === 'HEAD' ? '' : 'through' });
      }
      expect((await api.get(`${at}/hostname`)).body).toMatch(/^web-[12]$/);
      expect((await api.get(`${at}/echo?msg=odd&code=418`)).status).toBe(418);
    }
    expect((await api.get(`${core}/services/none:80/proxy/`)).status).toBe(404);
    expect((await api.get(`${core}/pods/web-1:9/proxy/`)).status).toBe(503);
  });

  it('N23 the logs folder of a node is reached through its proxy subresource', async () => {
    const nodes = await lab.cluster.get<Node>('nodes');
    for (const { metadata } of nodes) {
      const { status, body } = await api.get(`/api/v1/nodes/${metadata?.name}/proxy/logs/`);
      expect(status, String(body)).toBe(200);
      expect(body).toContain('<pre>');
    }
  });

  it('N34 a list of the Services of all namespaces has default/kubernetes', async () => {
    const { body } = await api.get('/api/v1/services');
    const names = body.items.map(
      ({ metadata }: { metadata: { namespace: string; name: string } }) => `${metadata.namespace}/${metadata.name}`,
    );
    expect(names).toContain('default/kubernetes');
    expect(names).toContain('kube-system/kube-dns');
  });

  it('N37 a pod speaks HTTPS with default/kubernetes, with the CA and token of its service account', async () => {
    const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
    const script = `curl -sS --cacert ${folder}/ca.crt -H "Authorization: Bearer $(cat ${folder}/token)" https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews -H 'content-type: application/json' -d '{}'`;
    const { stdout, stderr } = await lab.cluster.pod('web-1').exec(['sh', '-c', script]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout).status.userInfo.username).toBe('system:serviceaccount:default:default');
  });
});
