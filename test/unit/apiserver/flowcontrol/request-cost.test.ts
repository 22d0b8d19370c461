import { describe, expect, test } from 'vitest';
import { isLongRunning, seatsOf, waitLimitOf } from '../../../../src/apiserver/flowcontrol/request-cost.ts';
import { parseRequestInfo } from '../../../../src/apiserver/http/request-info.ts';

function ask(url: string, method = 'GET') {
  const [path = '', search = ''] = url.split('?');
  const query = new URLSearchParams(search);
  return [parseRequestInfo(method, path, query), query] as const;
}

describe('seats', () => {
  const pods = '/api/v1/namespaces/default/pods';
  test.each([
    [`${pods}/x`, 1],
    [pods, 10],
    [`${pods}?limit=250`, 3],
    [`${pods}?limit=5000`, 10],
    [`${pods}?limit=nonsense`, 10],
    [`${pods}?fieldSelector=metadata.name%3Dx`, 1],
    [`${pods}?watch=1`, 10],
    [`${pods}?watch=1&resourceVersion=7`, 1],
    [`${pods}?watch=1&resourceVersion=7&sendInitialEvents=true`, 10],
    ['/version', 1],
  ])('%s of a thousand objects: %i', (url, seats) => {
    expect(seatsOf(...ask(url), () => 1000)).toBe(seats);
  });

  test('of a list of nothing: one', () => {
    expect(seatsOf(...ask(pods), () => 0)).toBe(1);
  });
});

describe('how long a request may wait', () => {
  test.each([
    ['/version', 15_000],
    ['/version?timeout=32s', 8000],
    ['/version?timeout=1m30s', 15_000],
    ['/version?timeout=1s500ms', 375],
    ['/version?timeout=0s', 15_000],
    ['/version?timeout=soon', 15_000],
    ['/api/v1/pods?watch=1&timeout=4s', 15_000],
  ])('%s: %i ms', (url, limit) => {
    expect(waitLimitOf(...ask(url))).toBe(limit);
  });
});

test.each([
  ['/api/v1/namespaces/n/pods/x/log', true],
  ['/api/v1/namespaces/n/pods/x/exec', true],
  ['/api/v1/namespaces/n/services/x/proxy/y', true],
  ['/api/v1/namespaces/n/pods?watch=1', false],
  ['/api/v1/namespaces/n/pods/x/status', false],
  ['/healthz', false],
])('%s runs as long as it likes: %s', (url, expected) => {
  expect(isLongRunning(ask(url)[0])).toBe(expected);
});
