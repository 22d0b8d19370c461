import { once } from 'node:events';
import { METHODS as ALL_METHODS } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resources } from '../../../src/kube/resources.ts';
import { type ApiServerLab, STATIC_TOKEN, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const SEED = 11;
const LIMIT = 3 * 1024 * 1024;
const configMaps = '/api/v1/namespaces/default/configmaps';
const problems: unknown[] = [];
let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab({ onError: (error) => problems.push(error) });
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  expect(problems).toEqual([]);
});

async function open(url: string): Promise<Socket> {
  const { hostname: host, port, protocol } = new URL(url);
  const isSecure = protocol === 'https:';
  const at = { host, port: Number(port) };
  const socket = isSecure ? connectSecure({ ...at, ca: lab.certificates.ca.cert }) : connect(at);
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  return socket.setNoDelay(true);
}

const bodyOf = (name: string, text = 'ä'): string => JSON.stringify({ metadata: { name }, data: { text } });

function requestOf(method: string, path: string, body: string, headers: readonly string[] = []): Buffer {
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: lab',
    `Authorization: Bearer ${STATIC_TOKEN}`,
    'Content-Type: application/json',
    ...headers,
  ];
  if (!headers.some((header) => header.startsWith('Transfer-Encoding')))
    head.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The next `count` statuses that the server answers with. */
async function statuses(socket: Socket, count: number): Promise<number[]> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('latin1');
    const found = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    if (found.length >= count && /\n$/.test(text)) return found;
  }
  throw new Error(`the connection ended after ${JSON.stringify(text)}`);
}

const textOf = async (name: string): Promise<string | undefined> =>
  (await lab.client.get(resources.configMaps, { namespace: 'default', name }))?.data?.['text'];

describe.each(['https', 'http'])('a body over %s', (protocol) => {
  const url = (): string => (protocol === 'https' ? lab.url : lab.plainUrl);

  test('is the same wherever the sender cuts it', async () => {
    const random = seededRandom(SEED);
    const socket = await open(url());
    for (let i = 0; i < 40; i++) {
      const [name, text] = [`cut-${protocol}-${i}`, 'öx'.repeat(Math.floor(random() * 600))];
      const request = requestOf('POST', configMaps, bodyOf(name, text));
      const cuts = [0, 1, 2].map(() => Math.floor(random() * request.length)).sort((a, b) => a - b);
      for (const [at, from] of [0, ...cuts].entries()) {
        const piece = request.subarray(from, cuts[at] ?? request.length);
        if (piece.length > 0) await new Promise<void>((resolve) => void socket.write(piece, () => resolve()));
        // The server reads this piece before the next one comes.
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await statuses(socket, 1), `seed ${SEED}, request ${i}`).toEqual([201]);
      expect(await textOf(name)).toBe(text);
    }
    socket.destroy();
  });

  test('of a request that was sent before the last one was answered is answered in its turn', async () => {
    const socket = await open(url());
    const requests = [
      requestOf('POST', configMaps, bodyOf(`pipelined-${protocol}-1`)),
      requestOf('POST', configMaps, '{'),
      requestOf('GET', '/version', ''),
      requestOf('POST', configMaps, bodyOf(`pipelined-${protocol}-2`)),
      requestOf('DELETE', `${configMaps}/nothing`, '{}'),
    ];
    socket.write(Buffer.concat(requests));
    expect(await statuses(socket, 5)).toEqual([201, 400, 200, 201, 404]);
    socket.destroy();
  });

  test('that breaks off changes nothing', async () => {
    const socket = await open(url());
    const request = requestOf('POST', configMaps, bodyOf(`broken-${protocol}`));
    socket.write(request.subarray(0, request.length - 1));
    socket.end();
    await once(socket.resume(), 'close');
    const other = await open(url());
    other.write(requestOf('GET', `${configMaps}/broken-${protocol}`, ''));
    expect(await statuses(other, 1)).toEqual([404]);
    other.destroy();
  });

  test('in chunks, or promised by Expect, is read like any other', async () => {
    const socket = await open(url());
    const body = bodyOf(`chunked-${protocol}`);
    const chunk = `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    socket.write(requestOf('POST', configMaps, chunk, ['Transfer-Encoding: chunked']));
    expect(await statuses(socket, 1)).toEqual([201]);
    socket.write(requestOf('POST', configMaps, bodyOf(`expected-${protocol}`), ['Expect: 100-continue']));
    expect(await statuses(socket, 2)).toEqual([100, 201]);
    socket.destroy();
  });

  test('is read up to the limit, and refused beyond', async () => {
    const fits = await open(url());
    fits.write(requestOf('POST', configMaps, bodyOf(`large-${protocol}`, 'x'.repeat(LIMIT)).slice(0, LIMIT)));
    // Cut off in the middle, it is no JSON.
    expect(await statuses(fits, 1)).toEqual([400]);
    fits.destroy();
    const larger = await open(url());
    larger.on('error', () => {});
    larger.write(requestOf('POST', configMaps, 'x'.repeat(LIMIT + 1)));
    expect(await statuses(larger, 1)).toEqual([413]);
    larger.destroy();
  });

  test('of a malformed Content-Type is refused', async () => {
    for (const type of ['json', 'application/', '/json']) {
      const socket = await open(url());
      const request = requestOf('POST', configMaps, bodyOf(`typed-${protocol}`)).toString();
      socket.write(request.replace('application/json', type));
      expect(await statuses(socket, 1), type).toEqual([415]);
      socket.destroy();
    }
  });
});

test.each(ALL_METHODS.filter((method) => method !== 'CONNECT'))(
  '%s without a body, though it names a type, is answered',
  async (method) => {
    const socket = await open(lab.url);
    const head = `${method} /api/v1/namespaces/default/configmaps/none HTTP/1.1\r\nHost: lab\r\n`;
    socket.write(`${head}Content-Type: application/json\r\nConnection: close\r\n\r\n`);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString('latin1')).toMatch(/^HTTP\/1\.1 4/);
  },
);
