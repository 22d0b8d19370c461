import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeRequest, NodeResponse } from '../../../src/kube/node-proxy.ts';
import { resources } from '../../../src/kube/resources.ts';
import { type ApiServerLab, STATIC_TOKEN, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { LocalKubelet } from '../../helpers/local-kubelet.ts';

class KubeletWithHttp extends LocalKubelet {
  async request(node: string, { method, path, body }: NodeRequest): Promise<NodeResponse> {
    const { Readable } = await import('node:stream');
    const answer = `${method} ${path} of ${node}: ${await text(body)}`;
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: Readable.from([answer]) };
  }
}

let target: Server;
let lab: ApiServerLab;
const POD_IP = '10.244.1.2';
let refused = false;

function answer(incoming: IncomingMessage, response: ServerResponse): void {
  const url = new URL(incoming.url ?? '/', 'http://target');
  if (url.pathname === '/redirect') response.writeHead(302, { location: '/elsewhere' }).end();
  else if (url.pathname === '/html') {
    const page = '<html><a href="/next">next</a></html>';
    const isPacked = url.searchParams.has('gzip');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (isPacked) response.setHeader('content-encoding', 'gzip');
    response.end(isPacked ? gzipSync(page) : page);
  } else if (url.pathname === '/stream') {
    response.write('first\n');
    incoming.on('data', (chunk) => response.write(chunk));
    incoming.on('end', () => response.end('last\n'));
  } else {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('x-own', 'kept');
    response.statusCode = url.pathname === '/teapot' ? 418 : 200;
    const { headers, method } = incoming;
    void text(incoming).then((body) => response.end(JSON.stringify({ method, url: incoming.url, headers, body })));
  }
}

beforeAll(async () => {
  target = createServer(answer);
  target.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ');
    socket.pipe(socket);
  });
  await once(target.listen(0, '127.0.0.1'), 'listening');
  const { port } = target.address() as AddressInfo;
  lab = await startApiServerLab({
    kubelet: new KubeletWithHttp(),
    proxy: {
      connect: async (address, wanted) => {
        expect([address, wanted]).toEqual([POD_IP, 8080]);
        if (refused) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      },
    },
  });
  await buildTarget();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  target?.closeAllConnections();
  target?.close();
});

async function buildTarget(): Promise<void> {
  const { client } = lab;
  const namespace = 'default';
  const containers = [{ name: 'c', image: 'x', ports: [{ containerPort: 8080 }] }];
  await client.create(resources.nodes, { metadata: { name: 'n' } });
  const pod = await client.create(resources.pods, { metadata: { name: 'p', namespace }, spec: { containers } });
  const status = { phase: 'Running', podIP: POD_IP, podIPs: [{ ip: POD_IP }] };
  await client.update(resources.pods, { ...pod, status }, { subresource: 'status' });
  const ports = [{ name: 'http', port: 80 }];
  await client.create(resources.services, { metadata: { name: 'web', namespace }, spec: { ports } });
  const addresses = [{ ip: POD_IP, targetRef: { kind: 'Pod', name: 'p', namespace } }];
  await client.create(resources.endpoints, {
    metadata: { name: 'web', namespace },
    subsets: [{ addresses, ports: [{ name: 'http', port: 8080 }] }],
  });
}

const POD = '/api/v1/namespaces/default/pods/p/proxy';
const SERVICE = '/api/v1/namespaces/default/services/web:http/proxy';
const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${lab.plainUrl}${path}`, { redirect: 'manual', ...init });

describe('the proxy of pods and Services', () => {
  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    'passes on %s with path, query and body',
    async (method) => {
      const body = method === 'GET' ? {} : { body: 'some body' };
      const answer = await ask(`${SERVICE}/a%2Fb/?x=1&y=%20`, { method, ...body });
      expect(await answer.json()).toMatchObject({
        method,
        url: '/a%2Fb/?x=1&y=%20',
        body: method === 'GET' ? '' : 'some body',
      });
    },
  );

  test('passes on HEAD without a body', async () => {
    const answer = await ask(`${POD}/`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('x-own'), await answer.text()]).toEqual([200, 'kept', '']);
  });

  test('tells who asked, and keeps credentials to itself', async () => {
    const headers = {
      authorization: `Bearer ${STATIC_TOKEN}`,
      'x-own': 'a',
      'x-forwarded-for': '192.0.2.1',
      'impersonate-user': 'kubernetes-admin',
      'impersonate-group': 'system:masters',
    };
    const answer = await ask(`${SERVICE}/who`, { headers });
    const { headers: seen } = (await answer.json()) as { readonly headers: Readonly<Record<string, string>> };
    expect(seen).toMatchObject({ 'x-own': 'a', 'x-forwarded-uri': `${SERVICE}/who` });
    expect(seen['x-forwarded-for']).toMatch(/^192\.0\.2\.1, (::ffff:)?127\.0\.0\.1$/);
    expect(Object.keys(seen).filter((name) => /^(authorization|impersonate-)/.test(name))).toEqual([]);
  });

  test('passes on status and headers, but not what is said about origins', async () => {
    const answer = await ask(`${SERVICE}/teapot`);
    expect([answer.status, answer.headers.get('x-own')]).toEqual([418, 'kept']);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('leads redirections and links back through itself', async () => {
    const redirect = await ask(`${SERVICE}/redirect`);
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, `${SERVICE}/elsewhere`]);
    const page = await ask(`${SERVICE}/html`);
    expect(await page.text()).toBe(`<html><a href="${SERVICE}/next">next</a></html>`);
  });

  test('looks into packed pages', async () => {
    const packed = await new Promise<Buffer>((resolve, reject) => {
      const headers = { 'accept-encoding': 'gzip' };
      const sent = request(`${lab.plainUrl}${SERVICE}/html?gzip=1`, { headers }, async (response) => {
        resolve(await buffer(response));
      });
      sent.on('error', reject).end();
    });
    expect(gunzipSync(packed).toString()).toBe(`<html><a href="${SERVICE}/next">next</a></html>`);
  });

  test('adds the slash that is missing', async () => {
    const answer = await ask(`${POD}?a=b`);
    expect([answer.status, answer.headers.get('location')]).toEqual([301, `${POD}/?a=b`]);
  });

  test('streams in both directions, more than a body may be otherwise', async () => {
    const sent = request(`${lab.plainUrl}${POD}/stream`, { method: 'POST' });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.flushHeaders();
    const [response] = await answered;
    const [first] = (await once(response, 'data')) as [Buffer];
    expect(first.toString()).toBe('first\n');
    let length = 0;
    response.on('data', (chunk: Buffer) => (length += chunk.length));
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    for (let i = 0; i < 8; i++) if (!sent.write(chunk)) await once(sent, 'drain');
    sent.end();
    await once(response, 'end');
    expect(length).toBe(8 * chunk.length + 'last\n'.length);
  });

  test('upgrades connections', async () => {
    const { port } = new URL(lab.plainUrl);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${SERVICE}/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`);
    let seen = '';
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(seen)) seen += String((await once(socket, 'data'))[0]);
    };
    await until(/^HTTP\/1.1 101 [\s\S]*hello $/);
    socket.write('echo me');
    await until(/hello echo me$/);
    socket.destroy();
  });

  test('says when nobody answers', async () => {
    refused = true;
    const answer = await ask(`${SERVICE}/`);
    refused = false;
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      kind: 'Status',
      reason: 'ServiceUnavailable',
      message: `error trying to reach service: dial tcp ${POD_IP}:8080: connect: connection refused`,
    });
  });

  test('asks for permission by the verb of the method', async () => {
    const headers = { 'impersonate-user': 'nobody' };
    const answer = await ask(`${SERVICE}/`, { method: 'POST', headers });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({
      message: expect.stringContaining('cannot create resource "services/proxy"'),
    });
  });
});

describe('the proxy of nodes', () => {
  test('asks the kubelet', async () => {
    const answer = await ask('/api/v1/nodes/n/proxy/logs/?a=b', { method: 'POST', body: 'x' });
    expect(await answer.text()).toBe('POST /logs/?a=b of n: x');
  });

  test('of a node that is not there is not found', async () => {
    expect((await ask('/api/v1/nodes/gone/proxy/metrics')).status).toBe(404);
  });
});
