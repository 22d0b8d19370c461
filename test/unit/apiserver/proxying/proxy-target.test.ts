import { describe, expect, test } from 'vitest';
import type { ObjectReader } from '../../../../src/apiserver/machinery/strategy.ts';
import { splitProxyPath } from '../../../../src/apiserver/proxying/proxy-path.ts';
import { findProxyTarget } from '../../../../src/apiserver/proxying/proxy-target.ts';
import type { KubeObject, ResourceType } from '../../../../src/kube/resources.ts';

const pod = {
  metadata: { name: 'p', namespace: 'x' },
  spec: { containers: [{ name: 'a' }, { name: 'b', ports: [{ containerPort: 8080 }] }] },
  status: { podIP: '10.244.1.2', podIPs: [{ ip: '10.244.1.2' }] },
};
const ofPod = { ip: '10.244.1.2', targetRef: { kind: 'Pod', name: 'p', namespace: 'x' } };
const objects: Readonly<Record<string, unknown>> = {
  'pods/p': pod,
  'pods/hostile': { ...pod, status: { podIP: '127.0.0.1' } },
  'services/web': {
    spec: {
      ports: [
        { name: 'http', port: 80 },
        { name: 'admin', port: 81 },
      ],
    },
  },
  'endpoints/web': {
    subsets: [
      { addresses: [{ ip: '10.9.9.9' }], ports: [{ name: 'http', port: 9 }] },
      { addresses: [ofPod], ports: [{ name: 'http', port: 8080 }] },
    ],
  },
  'services/none': { spec: { ports: [{ port: 80 }] } },
  'endpoints/none': {},
  'nodes/n': { status: { addresses: [{ type: 'InternalIP', address: '172.18.0.2' }] } },
};
const reader: ObjectReader = {
  get: <T extends KubeObject>({ resource }: ResourceType<T>, { name }: { readonly name: string }) =>
    objects[`${resource}/${name}`] as T | undefined,
  list: () => [],
};
const target = (resource: string, id: string) => findProxyTarget(reader, () => 0, { resource, namespace: 'x', id });
const address = (host: string, port: number, scheme = 'http') => ({ type: 'address', scheme, address: host, port });

describe('the target of a proxied request', () => {
  test.each([
    ['pods', 'p', address('10.244.1.2', 8080)],
    ['pods', 'p:9090', address('10.244.1.2', 9090)],
    ['pods', 'https:p:', address('10.244.1.2', 8080, 'https')],
    ['services', 'web:http', address('10.244.1.2', 8080)],
    ['services', 'web:80', address('10.244.1.2', 8080)],
    ['services', 'https:web:http', address('10.244.1.2', 8080, 'https')],
    ['nodes', 'n', { type: 'kubelet', node: 'n' }],
    ['nodes', 'n:10250', { type: 'kubelet', node: 'n' }],
    ['nodes', 'n:9100', address('172.18.0.2', 9100)],
  ])('%s %s', (resource, id, expected) => {
    expect(target(resource, id)).toEqual(expected);
  });

  test('is an address of 127.0.0.0/8 where those are the cluster’s, and no other of them', () => {
    const loopback: ObjectReader = {
      get: <T extends KubeObject>(_type: ResourceType<T>, { name }: { readonly name: string }) =>
        ({ spec: { containers: [] }, status: { podIP: name } }) as unknown as T,
      list: () => [],
    };
    const find = (ip: string) =>
      findProxyTarget(loopback, () => 0, {
        ...{ resource: 'pods', namespace: 'x', id: ip },
        admitsLoopback: (own) => own === '127.64.0.2',
      });
    expect(find('127.64.0.2')).toEqual(address('127.64.0.2', 80));
    expect(() => find('127.0.0.1')).toThrow('address not allowed');
  });

  test.each([
    ['pods', 'gone', 'pods "gone" not found'],
    ['pods', 'hostile', 'address not allowed'],
    ['pods', 'a:b:c:d', 'invalid pod request "a:b:c:d"'],
    ['pods', 'ftp:p:21', 'invalid pod request "ftp:p:21"'],
    ['pods', 'p:0', 'invalid port "0"'],
    ['services', 'gone', 'endpoints "gone" not found'],
    ['services', 'web:82', 'no service port 82 found for service "web"'],
    ['services', 'web:admin', 'no endpoints available for service "web:admin"'],
    ['services', 'none', 'no endpoints available for service "none"'],
    ['nodes', 'gone', 'nodes "gone" not found'],
  ])('%s %s is refused: %s', (resource, id, message) => {
    expect(() => target(resource, id)).toThrow(message);
  });
});

describe('a path of the proxy', () => {
  test('is split where the target begins, as the client wrote it', () => {
    expect(splitProxyPath('/api/v1/namespaces/x/services/https:web:443/proxy/a%2Fb/')).toEqual({
      prefix: '/api/v1/namespaces/x/services/https:web:443/proxy',
      rest: '/a%2Fb/',
    });
    expect(splitProxyPath('/api/v1/nodes/n/proxy')).toEqual({ prefix: '/api/v1/nodes/n/proxy', rest: '' });
    expect(splitProxyPath('/api/v1/namespaces/proxy/pods/p')).toBeUndefined();
    expect(splitProxyPath('/api/v1/namespaces/x/pods/p/proxyfoo')).toBeUndefined();
  });
});
