import { expect, test } from 'vitest';
import { EventCorrelator } from '../../../src/kube/event-correlator.ts';
import type { Event } from '../../../src/kube/generated/types.ts';

const build = (message: string, { name = 'web', reason = 'SuccessfulCreate' } = {}): Event => ({
  metadata: { name: `${name}.1`, namespace: 'default' },
  involvedObject: { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace: 'default', name, uid: name },
  type: 'Normal',
  reason,
  message,
});
const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `pod ${index}`);

test('the same event has the same key, others have their own', () => {
  const correlator = new EventCorrelator();
  const keyOf = (event: Event) => correlator.correlate(event, 0)?.key;
  expect(keyOf(build('a'))).toBe(keyOf(build('a')));
  const keys = [build('a'), build('b'), build('a', { name: 'other' }), build('a', { reason: 'Other' })].map(keyOf);
  expect(new Set(keys).size).toBe(4);
});

test('from the tenth on, events that differ in their message alone are combined into one', () => {
  const correlator = new EventCorrelator();
  const written = numbers(12).map((message) => correlator.correlate(build(message), 0)!);
  expect(written.slice(0, 9).map(({ event }) => event.message)).toEqual(numbers(9));
  expect(written.slice(9).map(({ event }) => event.message)).toEqual(
    ['pod 9', 'pod 10', 'pod 11'].map((message) => `(combined from similar events): ${message}`),
  );
  expect(new Set(written.map(({ key }) => key)).size).toBe(10);
});

test('ten minutes of silence end the combining', () => {
  const correlator = new EventCorrelator();
  for (const message of numbers(10)) correlator.correlate(build(message), 0);
  expect(correlator.correlate(build('later'), 600_001)?.event.message).toBe('later');
});

test('an object gets 25 writes, then one every five minutes; others are not held up', () => {
  const correlator = new EventCorrelator();
  const isWritten = (event: Event, now: number) => correlator.correlate(event, now) !== undefined;
  const burst = numbers(1000).map((message) => isWritten(build(message), 0));
  expect(burst.filter(Boolean)).toHaveLength(25);
  expect(isWritten(build('again'), 299_999)).toBe(false);
  expect(isWritten(build('again'), 300_000)).toBe(true);
  expect(isWritten(build('again'), 300_000)).toBe(false);
  expect(isWritten(build('again', { name: 'other' }), 300_000)).toBe(true);
});
