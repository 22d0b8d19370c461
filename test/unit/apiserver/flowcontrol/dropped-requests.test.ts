import { expect, test } from 'vitest';
import { DroppedRequests } from '../../../../src/apiserver/flowcontrol/dropped-requests.ts';

test('clients are told to stay away twice as long, up to half a minute, while many are turned away, and less afterwards', () => {
  const dropped = new DroppedRequests();
  const told: number[] = [];
  let second = 1_000_000;
  for (let i = 0; i < 60; i++, second++) {
    for (let request = 0; request < 10; request++) dropped.record(second * 1000 + request);
    if (told.at(-1) !== dropped.retryAfter) told.push(dropped.retryAfter);
  }
  for (let i = 1; i <= 60; i++) dropped.record((second + i * 40) * 1000);
  told.push(dropped.retryAfter);
  expect(told).toEqual([1, 2, 4, 8, 16, 32, 1]);
});

test('a few requests that are turned away change nothing', () => {
  const dropped = new DroppedRequests();
  for (let second = 0; second < 100; second++) dropped.record(second * 1000);
  expect(dropped.retryAfter).toBe(1);
});
