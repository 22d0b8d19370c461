import { expect, test } from 'vitest';
import { EventRecorder } from '../../../src/kube/event-recorder.ts';
import { resources } from '../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../src/kube/status.ts';
import { buildNode, buildPod } from '../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

function setUp() {
  const clock = new SteppedClock();
  const client = new FakeKubeClient(clock);
  const errors: unknown[] = [];
  const recorder = new EventRecorder({
    client,
    clock,
    component: 'test',
    host: 'node-1',
    onError: (e) => errors.push(e),
  });
  return { clock, client, errors, recorder };
}

test('an event names its object and its source', async () => {
  const { clock, client, recorder } = setUp();
  recorder.record(resources.pods, buildPod({ name: 'a', uid: 'u' }), {
    type: 'Normal',
    reason: 'Pulled',
    message: 'done',
  });
  expect(client.all(resources.events)).toEqual([]);
  await clock.step(50);
  expect(client.all(resources.events)).toMatchObject([
    {
      metadata: { namespace: 'default', name: expect.stringMatching(/^a\.[0-9a-f]+$/) },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'a', uid: 'u' },
      source: { component: 'test', host: 'node-1' },
      reason: 'Pulled',
      message: 'done',
      type: 'Normal',
      count: 1,
      firstTimestamp: '2026-01-01T00:00:00Z',
    },
  ]);
});

test('the same event again raises the count', async () => {
  const { clock, client, recorder } = setUp();
  const details = { type: 'Warning', reason: 'BackOff', message: 'again' } as const;
  recorder.record(resources.pods, buildPod(), details);
  recorder.record(resources.pods, buildPod(), details);
  await clock.step(5000);
  recorder.record(resources.pods, buildPod(), details);
  recorder.record(resources.pods, buildPod({ name: 'other' }), details);
  await clock.step(50);
  expect(client.all(resources.events).map(({ count }) => count)).toEqual([1, 3]);
  expect(client.all(resources.events)[1]?.lastTimestamp).toBe('2026-01-01T00:00:05Z');
});

test('events of cluster-scoped objects are in the default namespace', async () => {
  const { clock, client, recorder } = setUp();
  recorder.record(resources.nodes, buildNode(), { type: 'Normal', reason: 'NodeReady', message: '' });
  await clock.step(50);
  expect(client.all(resources.events)[0]?.metadata.namespace).toBe('default');
});

test('a failure to write is told, a namespace that ends is not', async () => {
  const { clock, client, recorder, errors } = setUp();
  const failures = [
    new ApiStatusError('Forbidden', 'namespace is being terminated'),
    new ApiStatusError('InternalError', 'disk full'),
  ];
  client.react(({ verb }) => (verb === 'create' ? failures.shift() : undefined));
  for (const name of ['a', 'b', 'c'])
    recorder.record(resources.pods, buildPod({ name }), { type: 'Normal', reason: 'X', message: '' });
  await clock.step(50);
  expect(errors).toMatchObject([{ message: 'disk full' }]);
  expect(client.all(resources.events)).toHaveLength(1);
});

test('nothing is written after disposal', async () => {
  const { clock, client, recorder } = setUp();
  recorder.record(resources.pods, buildPod(), { type: 'Normal', reason: 'X', message: '' });
  recorder[Symbol.dispose]();
  await clock.step(1000);
  expect(client.all(resources.events)).toEqual([]);
  expect(clock.pending).toBe(0);
});
