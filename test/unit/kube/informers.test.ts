import { expect, test } from 'vitest';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildPod } from '../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { SteppedClock, settled } from '../../helpers/stepped-clock.ts';

test('everybody who asks for the same kind and options shares one list and watch', async () => {
  const clock = new SteppedClock();
  const client = new FakeKubeClient(clock);
  client.put(resources.pods, buildPod({ name: 'a' }));
  using informers = new SharedInformers(client, clock);
  expect(informers.for(resources.pods)).toBe(informers.for(resources.pods));
  expect(informers.for(resources.pods)).not.toBe(informers.for(resources.pods, { namespace: 'default' }));
  await informers.start();
  client.put(resources.pods, buildPod({ name: 'b' }));
  await settled();
  expect(informers.for(resources.pods).size).toBe(2);
  expect(client.actions.filter(({ verb }) => verb === 'list')).toHaveLength(2);
});

test('what was missed while the server was away shows up as changes', async () => {
  const clock = new SteppedClock();
  const client = new FakeKubeClient(clock);
  client.put(resources.pods, buildPod({ name: 'a' }), buildPod({ name: 'b' }));
  using informers = new SharedInformers(client, clock);
  const changes: string[] = [];
  informers.for(resources.pods).onChange(({ key, previous, current }) => {
    changes.push(`${key} ${previous ? 1 : 0}${current ? 1 : 0}`);
  });
  await informers.start();
  client.endWatches(new Error('connection reset'));
  client.remove(resources.pods, 'default/a');
  client.put(resources.pods, buildPod({ name: 'c' }));
  await clock.step(100);
  expect(changes).toEqual(['default/a 01', 'default/b 01', 'default/c 01', 'default/a 10']);
});
