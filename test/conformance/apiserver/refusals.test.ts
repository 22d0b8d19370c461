import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServerLab, STATIC_TOKEN, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { LocalKubelet } from '../../helpers/local-kubelet.ts';
import fixture from './fixtures/refusals.json' with { type: 'json' };

interface Refused {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly message?: string;
  readonly reason?: string;
}

let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab({ kubelet: new LocalKubelet() });
});
afterAll(() => lab?.[Symbol.asyncDispose]());

function send({
  method,
  path,
  body = '',
  headers,
}: Refused): Promise<{ readonly status: number; readonly body: string }> {
  const { ca } = lab.certificates;
  const credentials = { authorization: `Bearer ${STATIC_TOKEN}`, 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { method, ca: ca.cert, headers: { ...credentials, ...headers } };
    const sent = request(`${lab.url}${path}`, options, async (response) => {
      resolve({ status: response.statusCode!, body: await text(response) });
    });
    sent.on('error', reject).end(body);
  });
}

// Of what one server only knows: its addresses and the identifiers of its objects.
const scrub = (message: string): string =>
  message
    .replace(/20\d\d-[0-9T:.-]+Z/g, 'T')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID')
    .replace(/127\.0\.0\.1:\d+/g, 'HOST');

describe('refused in the words of the real server', () => {
  const cases = (fixture.requests as readonly Refused[]).map((refused, number) => ({ number, ...refused }));
  test.each(cases)('$number: $method $path $body', async (refused) => {
    const { status, body } = await send(refused);
    expect(status, body).toBe(refused.status);
    if (refused.message === undefined) return;
    const given = JSON.parse(body) as { readonly message: string; readonly reason: string };
    expect(scrub(given.message)).toBe(refused.message);
    expect(given.reason).toBe(refused.reason);
  });
});
