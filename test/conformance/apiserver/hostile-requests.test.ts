import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { LocalKubelet } from '../../helpers/local-kubelet.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

// Larger by hand: TOWTANK_FUZZ=20000.
const ROUNDS = Number(process.env['TOWTANK_FUZZ'] ?? 600);
const problems: unknown[] = [];
let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab({ kubelet: new LocalKubelet(), onError: (error) => problems.push(error) });
});
afterAll(() => lab?.[Symbol.asyncDispose]());

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const KINDS = [
  '/api/v1/namespaces/default/pods',
  '/api/v1/namespaces/default/services',
  '/api/v1/namespaces/default/configmaps',
  '/api/v1/namespaces/default/endpoints',
  '/api/v1/namespaces',
  '/api/v1/nodes',
  '/apis/apps/v1/namespaces/default/deployments',
  '/apis/apps/v1/namespaces/default/statefulsets',
  '/apis/batch/v1/namespaces/default/cronjobs',
  '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
  '/apis/networking.k8s.io/v1/namespaces/default/ingresses',
  '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies',
  '/apis/networking.k8s.io/v1/servicecidrs',
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
  '/apis/authentication.k8s.io/v1/tokenreviews',
];
const TAILS = [
  '',
  '',
  '/x',
  '/x/status',
  '/x/scale',
  '/x/log',
  '/x/proxy/',
  '/x/exec',
  '/x/token',
  '/x/eviction',
  '/%00',
  '/..%2f..',
  '/%zz',
  '/x//',
  '/ü',
];
const QUERIES = [
  '',
  '',
  'watch=1&timeoutSeconds=1',
  'limit=1',
  'limit=-5',
  'continue=AAAA',
  'labelSelector=%21%21',
  'fieldSelector=a%3Db%2Cc',
  'resourceVersion=-1',
  'dryRun=All&dryRun=x',
  'fieldManager=%00',
  'fieldValidation=Strict',
  'force=maybe',
  'a=%zz',
  'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1',
];
const TYPES = [
  'application/json',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  'x',
];
const ACCEPTS = [
  'application/json',
  '*/*',
  'application/json;as=Table;g=meta.k8s.io;v=v1',
  'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
  'application/yaml',
  ';;;',
  'a/b;q=x',
];
const WORDS = [
  'metadata',
  'spec',
  'status',
  'name',
  'namespace',
  'labels',
  'annotations',
  'ports',
  'port',
  'rules',
  'template',
  'containers',
  'selector',
  'matchLabels',
  'endpoints',
  'addresses',
  'versions',
  'schema',
  'openAPIV3Schema',
  'properties',
  'type',
  'group',
  'names',
  'kind',
  'apiVersion',
  'managedFields',
  'ownerReferences',
  'finalizers',
  '__proto__',
  'constructor',
  'clusterIP',
  'ipFamilies',
  'taints',
  'subjects',
  'x-kubernetes-validations',
  'rule',
  'items',
  'default',
  'http',
  'paths',
  'cidrs',
  '$patch',
  '$setElementOrder/ports',
  'creationTimestamp',
];

function value(random: Random, depth = 0): unknown {
  const kind = random();
  if (depth > 5 || kind < 0.3)
    return pick(random, [
      null,
      true,
      0,
      -1,
      1.5,
      1e30,
      '',
      'x',
      'a/b',
      '10.0.0.1',
      'object',
      'A'.repeat(300),
      '\u0000',
      '2020-01-01T00:00:00Z',
      '1Gi',
    ]);
  if (kind < 0.45) return Array.from({ length: Math.floor(random() * 3) }, () => value(random, depth + 1));
  const entries = Array.from({ length: Math.floor(random() * 6) }, () => [
    pick(random, WORDS),
    value(random, depth + 1),
  ]);
  return Object.fromEntries(entries);
}

function body(random: Random, method: string): string {
  if (method === 'GET' || method === 'HEAD' || random() < 0.05) return '';
  if (random() < 0.1)
    return pick(random, [
      '{',
      '[[[[',
      '\u0000\u0001',
      'k8s\u0000\u0001',
      '"',
      'a: &a [*a]',
      '- '.repeat(50),
      '{"a":'.repeat(200),
      '!!binary x',
    ]);
  const given = value(random);
  if (random() < 0.15)
    return JSON.stringify([
      {
        op: pick(random, ['add', 'remove', 'replace', 'test', 'move', 'copy', 'x']),
        path: pick(random, ['/metadata/labels/a', '/spec', '', '/__proto__/x', '/a/-1', 'x']),
        value: given,
      },
    ]);
  const metadata = { name: 'x', ...(random() < 0.5 ? (value(random, 4) as object) : {}) };
  return JSON.stringify(random() < 0.7 ? { ...(given as object), metadata } : given);
}

describe('whatever is sent', () => {
  test(`${ROUNDS} random requests are answered, none with a 500`, { timeout: 600_000 }, async () => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const statuses = new Map<number, number>();
    for (let i = 0; i < ROUNDS; i++) {
      const method = pick(random, METHODS);
      const url = `${lab.plainUrl}${pick(random, KINDS)}${pick(random, TAILS)}?${pick(random, QUERIES)}`;
      const sent = body(random, method);
      const headers = { 'content-type': pick(random, TYPES), accept: pick(random, ACCEPTS) };
      const answer = await fetch(url, { method, headers, redirect: 'manual', ...(sent === '' ? {} : { body: sent }) });
      const got = await answer.text();
      expect(answer.status, `seed ${seed}: ${method} ${url} ${sent}\n${got}`).not.toBe(500);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
    expect(problems, `seed ${seed}`).toEqual([]);
    // The server was asked in earnest: some of it was accepted.
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405]));
  });

  test.each([
    ['no HTTP at all', '\u0000\u0001\u0002\r\n\r\n'],
    ['a path that is no path', 'GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two lengths', 'POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}'],
    ['a header without end', `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(100_000)}`],
    ['an upgrade to nothing', 'GET /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: nothing\r\n\r\n'],
    ['a length that is no number', 'POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n'],
  ])('%s ends the connection, not the server', async (_title, bytes) => {
    const socket = connect(Number(new URL(lab.plainUrl).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.end(bytes);
    socket.resume();
    await new Promise((resolve) => socket.on('close', resolve));
    expect((await fetch(`${lab.plainUrl}/readyz`)).status).toBe(200);
  });

  test('a body that is too large is refused before it is read', async () => {
    const answer = await fetch(`${lab.plainUrl}/api/v1/namespaces/default/configmaps`, {
      method: 'POST',
      body: Buffer.alloc(4 * 1024 * 1024, 'x'),
    });
    expect(answer.status).toBe(413);
    expect(await answer.text()).toContain('Request entity too large: limit is 3145728');
  });

  test('one request does not see what another one sent', async () => {
    const ask = (name: string) => fetch(`${lab.plainUrl}/api/v1/namespaces/default/configmaps/${name}`);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`secret-${i}`)));
    const bodies = await Promise.all(answers.map((answer) => text(answer.body!)));
    bodies.forEach((got, i) => {
      expect(got).toContain(`configmaps \\"secret-${i}\\" not found`);
    });
  });
});
