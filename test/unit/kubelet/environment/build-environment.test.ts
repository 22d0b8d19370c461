import { describe, expect, test } from 'vitest';
import type { ConfigMap, Container, Secret, Service } from '../../../../src/kube/generated/types.ts';
import { buildEnvironment } from '../../../../src/kubelet/environment/build-environment.ts';
import { buildPod, buildService } from '../../../helpers/build-objects.ts';

const node = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '10Gi' };
const facts = { podIPs: ['10.244.0.2', 'fd00::2'], hostIPs: ['172.18.0.2', 'fc00::2'] };

interface World {
  readonly configMaps?: Record<string, ConfigMap>;
  readonly secrets?: Record<string, Secret>;
  readonly services?: readonly Service[];
  readonly enableServiceLinks?: boolean;
}

function environment(container: Partial<Container>, world: World = {}): Record<string, string> {
  const spec = {
    enableServiceLinks: world.enableServiceLinks ?? true,
    nodeName: 'node-1',
    serviceAccountName: 'robot',
  };
  const pod = buildPod({ name: 'web', labels: { app: 'web' }, annotations: { note: 'x' }, uid: 'u-1', spec });
  const objects = {
    configMap: (key: string) => world.configMaps?.[key],
    secret: (key: string) => world.secrets?.[key],
    services: () => world.services ?? [],
  };
  const {
    PATH: _path,
    HOME: _home,
    ...rest
  } = buildEnvironment({ pod, container: { name: 'main', ...container }, facts, node, objects });
  return rest;
}

describe('the environment of a container', () => {
  test('has values in order, each seeing those before it', () => {
    expect(
      environment({
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '$(A)2$(C)' },
          { name: 'C', value: '3' },
          { name: 'A', value: 'again' },
        ],
      }),
    ).toEqual({ A: 'again', B: '12$(C)', C: '3' });
  });

  test.each([
    ['metadata.name', 'web'],
    ['metadata.namespace', 'default'],
    ['metadata.uid', 'u-1'],
    ["metadata.labels['app']", 'web'],
    ["metadata.annotations['note']", 'x'],
    ["metadata.annotations['absent']", ''],
    ['spec.nodeName', 'node-1'],
    ['spec.serviceAccountName', 'robot'],
    ['status.podIP', '10.244.0.2'],
    ['status.podIPs', '10.244.0.2,fd00::2'],
    ['status.hostIP', '172.18.0.2'],
    ['status.hostIPs', '172.18.0.2,fc00::2'],
  ])('field %s is %s', (fieldPath, expected) => {
    expect(environment({ env: [{ name: 'F', valueFrom: { fieldRef: { fieldPath } } }] })).toEqual({ F: expected });
  });

  test('an unknown field is an error of the configuration', () => {
    expect(() =>
      environment({ env: [{ name: 'F', valueFrom: { fieldRef: { fieldPath: 'spec.nonsense' } } }] }),
    ).toThrow('unsupported fieldPath: spec.nonsense');
  });

  test.each([
    ['limits.cpu', undefined, '1'],
    ['limits.cpu', '1m', '500'],
    ['limits.memory', '1Mi', '64'],
    ['requests.cpu', '1m', '0'],
    ['limits.ephemeral-storage', '1Gi', '10'],
  ])('resource %s in units of %s is %s', (resource, divisor, expected) => {
    const resourceFieldRef = { resource, ...(divisor ? { divisor } : {}) };
    const resources = { limits: { cpu: '500m', memory: '64Mi' } };
    expect(environment({ resources, env: [{ name: 'R', valueFrom: { resourceFieldRef } }] })).toEqual({ R: expected });
  });

  test('takes keys of ConfigMaps and Secrets, one by one and all of them', () => {
    const world = {
      configMaps: { 'default/config': { data: { a: '1', b: '2' } } },
      secrets: { 'default/keys': { data: { token: Buffer.from('s3cret').toString('base64') } } },
    };
    expect(
      environment(
        {
          envFrom: [{ prefix: 'C_', configMapRef: { name: 'config' } }, { secretRef: { name: 'keys' } }],
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'config', key: 'a' } } }],
        },
        world,
      ),
    ).toEqual({ C_a: '1', C_b: '2', token: 's3cret', A: '1' });
  });

  test('says what is missing, unless it is optional', () => {
    const from = (configMapKeyRef: { name: string; key: string; optional?: boolean }) => [
      { name: 'A', valueFrom: { configMapKeyRef } },
    ];
    const world = { configMaps: { 'default/config': { data: {} } } };
    expect(() => environment({ env: from({ name: 'none', key: 'a' }) })).toThrow('configmap "none" not found');
    expect(() => environment({ env: from({ name: 'config', key: 'a' }) }, world)).toThrow(
      "couldn't find key a in ConfigMap default/config",
    );
    expect(environment({ env: from({ name: 'none', key: 'a', optional: true }) })).toEqual({});
    expect(() => environment({ envFrom: [{ secretRef: { name: 'none' } }] })).toThrow('secret "none" not found');
    expect(environment({ envFrom: [{ secretRef: { name: 'none', optional: true } }] })).toEqual({});
  });
});

describe('the variables of Services', () => {
  const kubernetes = buildService({
    name: 'kubernetes',
    clusterIP: '10.96.0.1',
    ports: [{ name: 'https', port: 443, protocol: 'TCP' }],
  });
  const cache = buildService({ name: 'redis-cache', clusterIP: 'fd00::a', ports: [{ port: 6379 }] });

  test('announce the Services of the namespace in both of their forms', () => {
    const variables = environment({}, { services: [cache] });
    expect(variables).toEqual({
      REDIS_CACHE_SERVICE_HOST: 'fd00::a',
      REDIS_CACHE_SERVICE_PORT: '6379',
      REDIS_CACHE_PORT: 'tcp://[fd00::a]:6379',
      REDIS_CACHE_PORT_6379_TCP: 'tcp://[fd00::a]:6379',
      REDIS_CACHE_PORT_6379_TCP_PROTO: 'tcp',
      REDIS_CACHE_PORT_6379_TCP_PORT: '6379',
      REDIS_CACHE_PORT_6379_TCP_ADDR: 'fd00::a',
    });
  });

  test('without service links only the API server is left', () => {
    const variables = environment({}, { services: [cache, kubernetes], enableServiceLinks: false });
    expect(Object.keys(variables).filter((name) => !name.startsWith('KUBERNETES_'))).toEqual([]);
    expect(variables['KUBERNETES_SERVICE_PORT_HTTPS']).toBe('443');
  });

  test('leave out headless Services and other namespaces', () => {
    const headless = buildService({ name: 'headless', clusterIP: 'None' });
    const elsewhere = buildService({ name: 'other', namespace: 'elsewhere' });
    expect(environment({}, { services: [headless, elsewhere] })).toEqual({});
  });
});
