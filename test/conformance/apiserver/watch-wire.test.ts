import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../src/kube/generated/types.ts';
import { resources } from '../../../src/kube/resources.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';

const COUNT = 1500;
const path = '/api/v1/namespaces/default/configmaps';
const initial = `${path}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;

interface Frame {
  readonly type: string;
  readonly object: ConfigMap;
}
const told = ({ type, object }: Frame): string => `${type} ${object.metadata?.name}`;

let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

const write = (name: string, text: string): Promise<ConfigMap> =>
  lab.client.create(resources.configMaps, { metadata: { name, namespace: 'default' }, data: { text } });

/** Reads frames of a watch until one is the last that is wanted. */
async function readUntil(response: IncomingMessage, isLast: (frame: Frame) => boolean): Promise<Frame[]> {
  const frames: Frame[] = [];
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      frames.push(JSON.parse(line) as Frame);
      if (isLast(frames.at(-1)!)) return frames;
    }
  }
  return frames;
}

/** Speaks to the server without a client that would tidy up. */
async function rawAnswer(request: string, until: RegExp): Promise<string> {
  const socket: Socket = connect(Number(new URL(lab.plainUrl).port), '127.0.0.1');
  socket.write(request);
  let text = '';
  try {
    for await (const chunk of socket) {
      text += String(chunk);
      if (until.test(text)) return text;
    }
    return text;
  } finally {
    socket.destroy();
  }
}

describe('the state that a watch begins with', () => {
  test('comes whole before its bookmark, and what changes meanwhile behind it', async () => {
    // More than the connection's buffers hold, so that it is still being sent when the changes come.
    for (let i = 0; i < COUNT; i++) await write(`state-${i}`, 'x'.repeat(8000));
    const request = get(`${lab.plainUrl}${initial}`, { agent: false });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const during = await write('during', 'new');
    await lab.client.delete(resources.configMaps, { name: 'state-7', namespace: 'default' });
    const frames = await readUntil(response, ({ type }) => type === 'DELETED');
    request.destroy();
    const state = frames.slice(0, COUNT);
    expect(new Set(state.map(told)).size).toBe(COUNT);
    expect(state.every(({ type, object }) => type === 'ADDED' && object.metadata?.name?.startsWith('state-'))).toBe(
      true,
    );
    expect(frames[COUNT]!.object.metadata?.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    expect(Number(frames[COUNT]!.object.metadata?.resourceVersion)).toBeLessThan(
      Number(during.metadata?.resourceVersion),
    );
    expect(frames.slice(COUNT + 1).map(told)).toEqual(['ADDED during', 'DELETED state-7']);
  });
});

describe('events on the wire', () => {
  test('of one turn come in order, each a line', async () => {
    const { metadata } = await write('before', '');
    const request = get(`${lab.plainUrl}${path}?watch=1&resourceVersion=${metadata?.resourceVersion}`, {
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await Promise.all(Array.from({ length: 50 }, (_, i) => write(`turn-${i}`, 'ä')));
    let left = 50;
    const frames = await readUntil(response, () => --left === 0);
    request.destroy();
    expect(frames.map(told).sort()).toEqual(Array.from({ length: 50 }, (_, i) => `ADDED turn-${i}`).sort());
    const revisions = frames.map(({ object }) => Number(object.metadata?.resourceVersion));
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
  });

  test('are plain lines for a client of HTTP/1.0', async () => {
    const { metadata } = await write('old', '');
    const from = Number(metadata?.resourceVersion) - 1;
    const text = await rawAnswer(`GET ${path}?watch=1&resourceVersion=${from} HTTP/1.0\r\n\r\n`, /\}\n$/);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding/i);
    expect(told(JSON.parse(body) as Frame)).toBe('ADDED old');
  });

  test('wait for the answers of the requests before them on the same connection', async () => {
    const { metadata } = await write('piped', '');
    const from = Number(metadata?.resourceVersion) - 1;
    const one = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const text = await rawAnswer(
      one(`${path}?limit=1`) + one(`${path}?watch=1&resourceVersion=${from}`),
      /"type":"ADDED".*\}\n\r\n$/,
    );
    const heads = text.split('HTTP/1.1 200 OK').slice(1);
    expect(heads).toHaveLength(2);
    expect(heads[0]).toContain('"kind":"ConfigMapList"');
    expect(heads[1]).toContain('"name":"piped"');
  });

  test('end with the chunk that ends an answer', async () => {
    const request = `GET ${path}?watch=1&timeoutSeconds=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
    expect(await rawAnswer(request, /\r\n0\r\n\r\n$/)).toMatch(/\r\n0\r\n\r\n$/);
  });
});
