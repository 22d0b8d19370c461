import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { metricOf } from '../../helpers/metric-of.ts';

let lab: ApiServerLab;
beforeAll(async () => {
  lab = await startApiServerLab();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

const ask = (path: string): Promise<Response> => fetch(`${lab.plainUrl}${path}`);

test('requests are counted by what they ask for and how they are answered, unknown paths together', async () => {
  for (const path of ['/api/v1/namespaces/default/services/kubernetes', '/api/v1/namespaces/default/services/gone'])
    await ask(path);
  for (let i = 0; i < 20; i++) await ask(`/apis/made-up-${i}/v1/things-${i}`);
  const answer = await ask('/metrics');
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const of = (code: number): string =>
    `apiserver_request_total{code="${code}",group="",resource="services",scope="resource",subresource="",verb="GET",version="v1"}`;
  expect(metricOf(text, of(404))).toBe(2);
  const elsewhere =
    'apiserver_request_total{code="404",group="",resource="",scope="",subresource="",verb="GET",version=""}';
  expect(text).not.toContain('made-up');
  expect(text).toContain('apiserver_storage_objects{resource="namespaces"} 4');
  expect(metricOf(text, elsewhere)).toBe(20);
  expect(text).toMatch(/apiserver_request_duration_seconds_bucket\{[^}]*resource="services"[^}]*le="\+Inf"\} 2/);
});
