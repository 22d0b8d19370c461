import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApiConnection } from '../../../src/agents/kube-client/api-connection.ts';
import { HttpKubeClient } from '../../../src/agents/kube-client/http-kube-client.ts';
import type { RunPlugin } from '../../../src/agents/kube-client/plugin-credential.ts';
import { parseKubeconfig } from '../../../src/agents/kube-client/read-kubeconfig.ts';
import type { Watch, WatchEvent } from '../../../src/kube/client.ts';
import { resources } from '../../../src/kube/resources.ts';
import { answer, failure, ScriptedApi, type ScriptedRequest, stream } from '../../helpers/scripted-api.ts';
import { serveApi } from '../../helpers/served-api.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const { services } = resources;
let api: ScriptedApi;
let stack: DisposableStack;
let clock: SteppedClock;
const problems: unknown[] = [];
beforeEach(async () => {
  problems.length = 0;
  clock = new SteppedClock();
  stack = new DisposableStack();
  api = await ScriptedApi.start();
});
afterEach(async () => {
  stack.dispose();
  await api[Symbol.asyncDispose]();
});

function clientOf(connection: ApiConnection = api.connection(), runPlugin?: RunPlugin): HttpKubeClient {
  const onProblem = (error: unknown): number => problems.push(error);
  return stack.use(
    new HttpKubeClient({ connection, clock, random: () => 0.5, userAgent: 'fault/1', runPlugin, onProblem }),
  );
}

const service = (name: string, resourceVersion: string): object => ({
  kind: 'Service',
  apiVersion: 'v1',
  metadata: { name, namespace: 'default', resourceVersion },
});

/** A watch whose events and end can be waited for. */
class Followed {
  readonly events: string[] = [];
  readonly ended = Promise.withResolvers<unknown>();
  readonly watch: Watch;
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  constructor(client: HttpKubeClient, resourceVersion = '10') {
    this.watch = client.watch(services, { resourceVersion }, (event) => this.#told(event), this.ended.resolve);
  }

  has(count: number): Promise<void> {
    if (this.events.length >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { count, resolve };
    });
  }

  #told({ type, object }: WatchEvent): void {
    this.events.push(`${type} ${object.metadata?.name ?? ''}@${object.metadata?.resourceVersion ?? ''}`);
    if (this.#waiting && this.events.length >= this.#waiting.count) this.#waiting.resolve();
  }
}

/** Waits until the watch waits, then lets so much time pass that it must connect. */
async function reconnect(): Promise<ScriptedRequest> {
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
  const next = api.next();
  await clock.step(30_000);
  return next;
}

describe('a watch', () => {
  test('goes on after the last version when its connection breaks or ends', async () => {
    const followed = new Followed(clientOf());
    const first = await api.next();
    expect(Object.fromEntries(first.url.searchParams)).toMatchObject({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: '10',
      timeoutSeconds: '450',
    });
    stream(first, [{ type: 'ADDED', object: service('a', '12') }]);
    await followed.has(1);
    first.response.destroy();
    const second = await reconnect();
    expect(second.url.searchParams.get('resourceVersion')).toBe('12');
    stream(second, [{ type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } }]);
    await followed.has(2);
    second.response.end();
    const third = await reconnect();
    expect(third.url.searchParams.get('resourceVersion')).toBe('20');
    stream(third, [{ type: 'DELETED', object: service('a', '21') }]);
    await followed.has(3);
    expect(followed.events).toEqual(['ADDED a@12', 'BOOKMARK @20', 'DELETED a@21']);
  });

  test('waits longer after each failure, and says what failed', async () => {
    const followed = new Followed(clientOf());
    let request = await api.next();
    const waited: number[] = [];
    for (let i = 0; i < 10; i++) {
      answer(request, 503, failure(503, 'ServiceUnavailable'));
      while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
      const before = clock.now();
      const next = api.next();
      while (api.unanswered === 0 && clock.pending > 0) await clock.step(25);
      request = await next;
      waited.push(clock.now() - before);
    }
    expect(waited).toEqual([75, 150, 300, 600, 1200, 2400, 4800, 9600, 19_200, 22_500]);
    expect(problems).toHaveLength(10);
    expect(problems[0]).toMatchObject({ status: 503 });
    stream(request, [{ type: 'ADDED', object: service('a', '12') }]);
    await followed.has(1);
    followed.watch.close();
  });

  test('goes on when nobody listens for a while', async () => {
    const client = clientOf({ ...api.connection(), server: 'http://127.0.0.1:1' });
    const followed = new Followed(client);
    while (problems.length < 3) {
      await clock.step(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(problems[0]).toMatchObject({ code: 'ERR_API_UNREACHABLE' });
    followed.watch.close();
    expect(clock.pending).toBe(0);
  });

  test.each(['an answer', 'an event'])('whose version is gone tells so and ends, told by %s', async (way) => {
    const followed = new Followed(clientOf());
    const request = await api.next();
    if (way === 'an answer') answer(request, 410, failure(410, 'Expired'));
    else stream(request, [{ type: 'ERROR', object: failure(410, 'Expired') }]);
    expect(await followed.ended.promise).toMatchObject({ reason: 'Expired', status: 410 });
    expect(followed.events).toEqual(['ERROR @']);
    expect(clock.pending).toBe(0);
  });

  test('that is not allowed ends with the reason', async () => {
    const followed = new Followed(clientOf());
    answer(await api.next(), 403, failure(403, 'Forbidden'));
    expect(await followed.ended.promise).toMatchObject({ reason: 'Forbidden' });
  });

  test('ends when the server was set back to an older state', async () => {
    const followed = new Followed(clientOf());
    const details = { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] };
    answer(await api.next(), 504, failure(504, 'Timeout', { details }));
    expect(await followed.ended.promise).toMatchObject({ status: 504 });
  });

  test('connects anew after a line that is no JSON', async () => {
    const followed = new Followed(clientOf());
    const first = await api.next();
    stream(first, [{ type: 'ADDED', object: service('a', '12') }]);
    first.response.write('{"type":"ADDED","obj\n');
    const second = await reconnect();
    expect(second.url.searchParams.get('resourceVersion')).toBe('12');
    expect(followed.events).toEqual(['ADDED a@12']);
  });

  test('reads events that arrive in pieces and in numbers', async () => {
    const followed = new Followed(clientOf());
    const request = await api.next();
    stream(request, []);
    const text = Array.from({ length: 300 }, (_, i) => {
      const object = { ...service(`ä${i}`, String(i)), padding: 'ö'.repeat(i * 10) };
      return `${JSON.stringify({ type: 'ADDED', object })}\r\n`;
    }).join('\n');
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 1013) request.response.write(bytes.subarray(at, at + 1013));
    await followed.has(300);
    expect(followed.events).toEqual(Array.from({ length: 300 }, (_, i) => `ADDED ä${i}@${i}`));
  });

  test('that is closed says nothing more and leaves no timer', async () => {
    const followed = new Followed(clientOf());
    const request = await api.next();
    stream(request, []);
    followed.watch.close();
    await once(request.response, 'close');
    expect(clock.pending).toBe(0);
    expect(problems).toEqual([]);
  });
});

describe('a list', () => {
  const page = (names: readonly string[], more?: string): object => ({
    kind: 'ServiceList',
    metadata: { resourceVersion: '7', ...(more && { continue: more }) },
    items: names.map((name) => ({ metadata: { name } })),
  });

  test('is asked for at once when its first page is too old to go on', async () => {
    const listed = clientOf().list(services, { labelSelector: 'a=b' });
    const first = await api.next();
    expect(first.url.search).toBe('?labelSelector=a%3Db&limit=500');
    answer(first, 200, page(['a', 'b'], 'next'));
    const second = await api.next();
    expect(second.url.searchParams.get('continue')).toBe('next');
    answer(second, 410, failure(410, 'Expired'));
    const whole = await api.next();
    expect(whole.url.search).toBe('?labelSelector=a%3Db');
    answer(whole, 200, page(['b', 'c']));
    expect((await listed).items.map(({ metadata }) => metadata?.name)).toEqual(['b', 'c']);
  });

  test('waits as long as a busy server says', async () => {
    const listed = clientOf().list(services);
    answer(await api.next(), 429, failure(429, 'TooManyRequests'), { 'retry-after': '7' });
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.step(6_999);
    expect(api.unanswered).toBe(0);
    await clock.step(1);
    answer(await api.next(), 200, page(['a']));
    expect((await listed).items).toHaveLength(1);
  });

  test('is repeated when the server had just closed the connection that was kept', async () => {
    const client = clientOf();
    const first = client.list(services);
    answer(await api.next(), 200, page([]));
    await first;
    const second = client.list(services);
    const request = await api.next();
    request.response.destroy();
    answer(await api.next(), 200, page(['a']));
    expect((await second).items).toHaveLength(1);
  });

  test('tells what a proxy in between answered', async () => {
    const listed = clientOf().list(services);
    const { response } = await api.next();
    response.writeHead(502).end('<html>Bad Gateway</html>');
    await expect(listed).rejects.toThrow('the server answered 502: <html>Bad Gateway</html>');
  });
});

describe('credentials', () => {
  const get = (client: HttpKubeClient): Promise<unknown> => client.get(services, { namespace: 'default', name: 'a' });
  const sentToken = ({ request }: ScriptedRequest): string | undefined => request.headers.authorization;

  test('in a file are read again when they are refused, and after a minute', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'towtank-token-'));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    writeFileSync(file, 'one\n');
    const client = clientOf(api.connection({ tokens: [{ file }, { text: 'fallback' }] }));
    const first = get(client);
    const refused = await api.next();
    expect(sentToken(refused)).toBe('Bearer one');
    writeFileSync(file, 'two\n');
    answer(refused, 401, failure(401, 'Unauthorized'));
    const repeated = await api.next();
    expect(sentToken(repeated)).toBe('Bearer two');
    answer(repeated, 200, service('a', '1'));
    await first;
    writeFileSync(file, 'three');
    await clock.step(59_000);
    const second = get(client);
    const before = await api.next();
    expect(sentToken(before)).toBe('Bearer two');
    answer(before, 200, {});
    await second;
    await clock.step(1_000);
    const third = get(client);
    const after = await api.next();
    expect(sentToken(after)).toBe('Bearer three');
    answer(after, 200, {});
    await third;
  });

  test('that stay refused are told, without asking for ever', async () => {
    const client = clientOf(api.connection({ tokens: [{ text: 'wrong' }] }));
    const asked = get(client);
    answer(await api.next(), 401, failure(401, 'Unauthorized'));
    await expect(asked).rejects.toMatchObject({ reason: 'Unauthorized' });
  });

  test('come from a plugin until they expire', async () => {
    const plugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'get-token',
      args: ['--cluster', 'x'],
      env: { REGION: 'r' },
      installHint: 'install it',
      provideClusterInfo: true,
    };
    const runs: Parameters<RunPlugin>[0][] = [];
    const client = clientOf(api.connection({ plugin }), async (run) => {
      runs.push(run);
      const expirationTimestamp = new Date(clock.now() + 600_000).toISOString();
      const status = { token: `t${runs.length}`, expirationTimestamp };
      return { exitCode: 0, stdout: JSON.stringify({ kind: 'ExecCredential', status }), stderr: '' };
    });
    for (const [wait, token] of [
      [0, 't1'],
      [599_000, 't1'],
      [1_000, 't2'],
    ] as const) {
      await clock.step(wait);
      const asked = get(client);
      const request = await api.next();
      expect(sentToken(request)).toBe(`Bearer ${token}`);
      answer(request, 200, {});
      await asked;
    }
    expect(runs[0]?.command).toEqual(['get-token', '--cluster', 'x']);
    expect(runs[0]?.env['REGION']).toBe('r');
    expect(JSON.parse(runs[0]?.env['KUBERNETES_EXEC_INFO'] ?? '')).toMatchObject({
      kind: 'ExecCredential',
      spec: { interactive: false, cluster: { server: `http://127.0.0.1:${api.port}` } },
    });
  });

  test.each([
    [{ exitCode: 3, stdout: '', stderr: 'log in first\n' }, /ended with status 3: log in first/],
    [{ exitCode: 0, stdout: 'hello', stderr: '' }, /printed no JSON/],
    [{ exitCode: 0, stdout: '{"kind":"ExecCredential","status":{}}', stderr: '' }, /neither a token nor/],
  ])('of a plugin that fails are told with the hint of the kubeconfig (%#)', async (result, message) => {
    const plugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'get-token',
      args: [],
      env: {},
      installHint: 'install it',
      provideClusterInfo: false,
    };
    const client = clientOf(api.connection({ plugin }), async () => result);
    await expect(get(client)).rejects.toThrow(message);
    await expect(get(client)).rejects.toMatchObject({ code: 'ERR_API_CREDENTIALS', hint: 'install it' });
  });
});

test('a server whose certificate nobody signed is not spoken to, unless that is wished', async () => {
  await using served = await serveApi();
  const connection = parseKubeconfig(served.kubeconfig('token'), { file: 'kubeconfig' });
  const untrusting = clientOf({ ...connection, ca: undefined });
  const asked = untrusting.list(services);
  await expect(asked).rejects.toMatchObject({
    code: 'ERR_API_UNREACHABLE',
    hint: expect.stringContaining('authority'),
  });
  const wrongName = clientOf({ ...connection, tlsServerName: 'example.org' });
  await expect(wrongName.list(services)).rejects.toMatchObject({ code: 'ERR_API_UNREACHABLE' });
  const insecure = clientOf({ ...connection, ca: undefined, insecureSkipTlsVerify: true });
  expect((await insecure.list(services)).resourceVersion).not.toBe('');
});
