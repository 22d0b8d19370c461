import { describe, expect, test } from 'vitest';
import type { Pod, PodStatus } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { StatusWriter } from '../../../../src/kubelet/pod/status-writer.ts';
import { buildPod } from '../../../helpers/build-objects.ts';
import { FakeKubeClient } from '../../../helpers/fake-kube-client.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

function setUp() {
  const clock = new SteppedClock();
  const client = new FakeKubeClient(clock);
  const errors: unknown[] = [];
  const writer = new StatusWriter({ client, clock, onError: (error) => errors.push(error) });
  client.put(resources.pods, buildPod({ name: 'web', nodeName: 'node-1' }));
  const pod = client.peek(resources.pods, 'default/web')!;
  const source: { pod: Pod; status: PodStatus } = { pod, status: { phase: 'Running' } };
  const stored = (): PodStatus | undefined => client.peek(resources.pods, 'default/web')?.status;
  const patches = (): number => client.actions.filter(({ verb }) => verb === 'patch').length;
  return { clock, client, writer, source, stored, patches, errors };
}

describe('the status of a pod', () => {
  test('is written once for all changes of one turn, and as it is then', async () => {
    const { writer, source, stored, patches } = setUp();
    writer.add(source);
    source.status = { phase: 'Failed' };
    writer.add(source);
    await writer.flushed(source);
    expect(stored()?.phase).toBe('Failed');
    expect(patches()).toBe(1);
  });

  test('leaves the conditions of others alone and takes away addresses that are gone', async () => {
    const { client, writer, source, stored } = setUp();
    const gate = { type: 'example.com/gate', status: 'True' };
    client.put(resources.pods, { ...source.pod, status: { conditions: [gate], podIPs: [{ ip: '10.0.0.1' }] } });
    source.status = { conditions: [{ type: 'Ready', status: 'True' }], podIPs: [{ ip: '10.0.0.2' }] };
    writer.add(source);
    await writer.flushed(source);
    expect(stored()?.conditions).toEqual([gate, { type: 'Ready', status: 'True' }]);
    expect(stored()?.podIPs).toEqual([{ ip: '10.0.0.2' }]);
  });

  test('is given up when the pod is gone, and written again later when the server is', async () => {
    const { clock, client, writer, source, stored, errors } = setUp();
    let isAway = true;
    client.react(({ verb }) =>
      isAway && verb === 'patch' ? new ApiStatusError('ServiceUnavailable', 'the server is away') : undefined,
    );
    writer.add(source);
    await settled();
    expect(errors).toHaveLength(1);
    isAway = false;
    await clock.step(500);
    expect(stored()?.phase).toBe('Running');
    client.remove(resources.pods, 'default/web');
    writer.add(source);
    await writer.flushed(source);
    expect(errors).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});
