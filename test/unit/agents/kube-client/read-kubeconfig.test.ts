import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inClusterConnection } from '../../../../src/agents/kube-client/in-cluster.ts';
import { parseKubeconfig, readKubeconfig } from '../../../../src/agents/kube-client/read-kubeconfig.ts';

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
}

const build = ({ cluster, user, context }: Parts = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443/', ...cluster } }],
    users: [{ name: 'u', user: user ?? {} }],
    contexts: [
      { name: 'lab', context: { cluster: 'c', user: 'u', ...context } },
      { name: 'anonymous', context: { cluster: 'c', namespace: 'web' } },
    ],
  });
const read = (parts?: Parts, context?: string) => parseKubeconfig(build(parts), { file: '/etc/kube/config', context });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('the current context names server, user and namespace', () => {
  expect(read()).toEqual({
    server: 'https://10.0.0.1:6443',
    ca: undefined,
    insecureSkipTlsVerify: false,
    tlsServerName: undefined,
    namespace: 'default',
    credential: { certificate: undefined, tokens: [], basic: undefined, plugin: undefined, headers: {} },
  });
  expect(read(undefined, 'anonymous').namespace).toBe('web');
});

test('data in the file wins over paths, and paths begin at its folder', () => {
  const cluster = { 'certificate-authority': 'pki/ca.crt', 'tls-server-name': 'api' };
  expect(read({ cluster })).toMatchObject({ ca: { file: '/etc/kube/pki/ca.crt' }, tlsServerName: 'api' });
  const data = { ...cluster, 'certificate-authority-data': base64('CA') };
  expect(read({ cluster: data }).ca).toEqual({ text: 'CA' });
  const user = { 'client-certificate': '/a/cert', 'client-key-data': base64('KEY') };
  expect(read({ user }).credential.certificate).toEqual({ cert: { file: '/a/cert' }, key: { text: 'KEY' } });
});

test('a token file comes before a token', () => {
  const user = { token: 'plain', tokenFile: 'token' };
  expect(read({ user }).credential.tokens).toEqual([{ file: '/etc/kube/token' }, { text: 'plain' }]);
});

test('names, groups and passwords are taken', () => {
  const user = { username: 'me', password: 'pw', as: 'you', 'as-groups': ['a', 'b'], 'as-uid': '7' };
  expect(read({ user }).credential).toMatchObject({
    basic: { username: 'me', password: 'pw' },
    headers: { 'impersonate-user': 'you', 'impersonate-group': ['a', 'b'], 'impersonate-uid': '7' },
  });
});

test('a credential plugin is found in PATH by its name, and at its path otherwise', () => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'login', env: [{ name: 'A', value: 'b' }] };
  expect(read({ user: { exec } }).credential.plugin).toMatchObject({ command: 'login', args: [], env: { A: 'b' } });
  const beside = { ...exec, command: './login', args: null };
  expect(read({ user: { exec: beside } }).credential.plugin).toMatchObject({ command: '/etc/kube/login', args: [] });
});

test.each<[string, Parts | string, RegExp]>([
  ['no YAML', '{', /config: /],
  ['a list', '[]', /is no kubeconfig/],
  ['a number for a name', '{"clusters":[{"name":7}]}', /clusters\[0\]\.name must be text/],
  ['no context', '{}', /context "" does not exist/],
  ['a missing cluster', { context: { cluster: 'x' } }, /cluster "x" does not exist/],
  ['a missing user', { context: { user: 'x' } }, /user "x" does not exist/],
  ['a server without scheme', { cluster: { server: '10.0.0.1:6443' } }, /is no URL/],
  ['a certificate without key', { user: { 'client-certificate': 'a' } }, /needs its key/],
  ['an HTTP proxy', { cluster: { 'proxy-url': 'http://proxy' } }, /proxy-url is not supported/],
  ['an auth-provider', { user: { 'auth-provider': { name: 'gcp' } } }, /auth-provider was removed/],
  ['an old plugin', { user: { exec: { apiVersion: 'x/v1alpha1', command: 'a' } } }, /exec\.apiVersion/],
])('%s is refused by name', (_what, parts, message) => {
  const text = typeof parts === 'string' ? parts : build(parts);
  const parse = () => parseKubeconfig(text, { file: '/etc/kube/config' });
  expect(parse).toThrow(message);
  expect(parse).toThrow(expect.objectContaining({ code: 'ERR_INVALID_CONFIG', hint: expect.any(String) }));
});

test('a file that is not there is refused by its path', () => {
  expect(() => readKubeconfig('/nowhere/config')).toThrow(/cannot read \/nowhere\/config/);
});

test('a pod finds its cluster by environment and ServiceAccount', () => {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-account-'));
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  try {
    expect(() => inClusterConnection(env, folder)).toThrow(/no kubeconfig is given/);
    writeFileSync(join(folder, 'token'), 'secret');
    writeFileSync(join(folder, 'namespace'), 'web\n');
    expect(inClusterConnection(env, folder)).toMatchObject({
      server: 'https://[fd00::1]:443',
      namespace: 'web',
      ca: { file: join(folder, 'ca.crt') },
      credential: { tokens: [{ file: join(folder, 'token') }] },
    });
    expect(() => inClusterConnection({}, folder)).toThrow(/no kubeconfig is given/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
