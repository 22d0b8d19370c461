import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startJobController } from '../../../../src/controllers/job/job-controller.ts';
import { parseIndexes, printIndexes } from '../../../../src/controllers/job/job-pods.ts';
import { startTTLAfterFinishedController } from '../../../../src/controllers/job/ttl-after-finished-controller.ts';
import type { Job, JobSpec, Pod } from '../../../../src/kube/generated/types.ts';
import { keyOf, resources } from '../../../../src/kube/resources.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const build = (spec: Partial<JobSpec> = {}): Job => ({
  metadata: { name: 'j', namespace: 'default', uid: 'job' },
  spec: {
    completions: 1,
    parallelism: 1,
    backoffLimit: 6,
    template: { spec: { containers: [{ name: 'main', image: 'x' }], restartPolicy: 'Never' } },
    ...spec,
  },
});

describe('Job', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
  });
  afterEach(() => harness[Symbol.dispose]());

  const start = async (spec: Partial<JobSpec> = {}) => {
    harness.client.put(resources.jobs, build(spec));
    await harness.start(startJobController, startTTLAfterFinishedController);
  };
  const job = () => harness.client.peek(resources.jobs, 'default/j');
  const pods = () => harness.client.all(resources.pods);
  const running = () =>
    pods().filter(({ status, metadata }) => status?.phase === undefined && !metadata?.deletionTimestamp);
  const end = async (pod: Pod | undefined, phase: 'Succeeded' | 'Failed', status: object = {}) => {
    harness.client.put(resources.pods, { ...pod!, status: { phase, ...status } });
    await harness.settle();
  };
  const conditions = () => job()?.status?.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);
  const change = async (spec: Partial<JobSpec>) => {
    await harness.client.update(resources.jobs, { ...job()!, spec: { ...job()!.spec!, ...spec } });
    await harness.settle();
  };

  test('runs a pod to its end and is complete', async () => {
    await start();
    expect(pods()).toMatchObject([
      {
        metadata: {
          labels: { 'job-name': 'j', 'batch.kubernetes.io/controller-uid': 'job' },
          finalizers: ['batch.kubernetes.io/job-tracking'],
        },
      },
    ]);
    expect(job()?.status).toMatchObject({ active: 1, startTime: '2026-01-01T00:00:00Z' });
    await end(pods()[0], 'Succeeded');
    expect(conditions()).toEqual(['SuccessCriteriaMet=True CompletionsReached', 'Complete=True CompletionsReached']);
    expect(job()?.status).toMatchObject({
      active: 0,
      succeeded: 1,
      completionTime: '2026-01-01T00:00:00Z',
      uncountedTerminatedPods: {},
    });
    expect(pods()[0]?.metadata?.finalizers).toEqual([]);
    expect(await harness.events()).toContain('Completed Job completed');
    expect(harness.failures).toEqual([]);
  });

  test('runs as many pods at once as parallelism says until enough have succeeded', async () => {
    await start({ completions: 5, parallelism: 2 });
    let most = 0;
    while (running().length > 0) {
      most = Math.max(most, running().length);
      await end(running()[0], 'Succeeded');
    }
    expect(most).toBe(2);
    expect(pods()).toHaveLength(5);
    expect(conditions()).toContain('Complete=True CompletionsReached');
  });

  test('without completions one success is enough, and the others end by themselves', async () => {
    await start({ completions: undefined, parallelism: 3 });
    expect(running()).toHaveLength(3);
    await end(running()[0], 'Succeeded');
    expect(running()).toHaveLength(2);
    await end(running()[0], 'Succeeded');
    await end(running()[0], 'Succeeded');
    expect(conditions()).toContain('Complete=True CompletionsReached');
  });

  test('a failed pod is replaced after a while, longer each time', async () => {
    await start();
    await end(running()[0], 'Failed');
    expect(running()).toHaveLength(0);
    await harness.clock.step(10_000);
    expect(running()).toHaveLength(1);
    await end(running()[0], 'Failed');
    await harness.clock.step(19_000);
    expect(running()).toHaveLength(0);
    await harness.clock.step(1000);
    await end(running()[0], 'Succeeded');
    expect(job()?.status).toMatchObject({ failed: 2 });
    expect(conditions()).toContain('Complete=True CompletionsReached');
  });

  test('too many failures are the end', async () => {
    await start({ backoffLimit: 1, parallelism: 2, completions: 2 });
    await end(running()[0], 'Failed');
    expect(running()).toHaveLength(1);
    await harness.clock.step(10_000);
    await end(running()[0], 'Failed');
    expect(conditions()).toEqual(['FailureTarget=True BackoffLimitExceeded', 'Failed=True BackoffLimitExceeded']);
    expect(running()).toHaveLength(0);
    expect(await harness.events()).toContain('BackoffLimitExceeded Job has reached the specified backoff limit');
  });

  test('with restartPolicy OnFailure restarts are the failures', async () => {
    await start({
      backoffLimit: 2,
      template: { spec: { containers: [{ name: 'main', image: 'x' }], restartPolicy: 'OnFailure' } },
    });
    const containerStatuses = [{ name: 'main', image: 'x', imageID: '', ready: false, restartCount: 2 }];
    harness.client.put(resources.pods, { ...pods()[0]!, status: { phase: 'Running', containerStatuses } });
    await harness.settle();
    expect(conditions()).toContain('FailureTarget=True BackoffLimitExceeded');
  });

  test('activeDeadlineSeconds ends it', async () => {
    await start({ activeDeadlineSeconds: 30 });
    await harness.clock.step(29_000);
    expect(conditions()).toBeUndefined();
    await harness.clock.step(1000);
    expect(conditions()).toContain('Failed=True DeadlineExceeded');
    expect(running()).toHaveLength(0);
  });

  test('suspended it runs nothing, resumed it starts anew', async () => {
    await start({ suspend: true });
    expect(pods()).toEqual([]);
    expect(conditions()).toEqual(['Suspended=True JobSuspended']);
    expect(job()?.status?.startTime).toBeUndefined();
    await change({ suspend: false });
    expect(running()).toHaveLength(1);
    expect(conditions()).toEqual(['Suspended=False JobResumed']);
    await change({ suspend: true });
    expect(running()).toHaveLength(0);
  });

  test('an indexed job does every part once', async () => {
    await start({ completionMode: 'Indexed', completions: 4, parallelism: 2 });
    expect(pods()[0]).toMatchObject({
      metadata: {
        annotations: { 'batch.kubernetes.io/job-completion-index': '0' },
        labels: { 'batch.kubernetes.io/job-completion-index': '0' },
      },
      spec: { hostname: 'j-0', containers: [{ env: [{ name: 'JOB_COMPLETION_INDEX' }] }] },
    });
    const indexes: string[] = [];
    while (running().length > 0) {
      indexes.push(running()[0]!.metadata!.annotations!['batch.kubernetes.io/job-completion-index']!);
      await end(running()[0], 'Succeeded');
    }
    expect(indexes.sort()).toEqual(['0', '1', '2', '3']);
    expect(job()?.status?.completedIndexes).toBe('0-3');
    expect(conditions()).toContain('Complete=True CompletionsReached');
  });

  test('a rule of the failure policy ends it at once, another does not count', async () => {
    const rules = [
      { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    ];
    await start({ podFailurePolicy: { rules } });
    await end(running()[0], 'Failed', { conditions: [{ type: 'DisruptionTarget', status: 'True' }] });
    expect(running()).toHaveLength(1);
    const terminated = {
      name: 'main',
      image: 'x',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode: 42 } },
    };
    await end(running()[0], 'Failed', { containerStatuses: [terminated] });
    expect(conditions()).toContain('Failed=True PodFailurePolicy');
  });

  test('a pod that is deleted before its time counts as failed and is let go', async () => {
    await start();
    await harness.client.delete(resources.pods, { namespace: 'default', name: running()[0]!.metadata!.name! });
    await harness.clock.step(10_000);
    expect(pods()).toHaveLength(1);
    expect(running()).toHaveLength(1);
    expect(job()?.status?.failed).toBe(1);
  });

  test('every pod is counted once, wherever it was interrupted', async () => {
    let broken = 0;
    harness.client.react(({ verb }) =>
      verb !== 'list' && ++broken % 3 === 0 ? new Error('connection reset') : undefined,
    );
    await start({ completions: 6, parallelism: 3 });
    for (let i = 0; i < 60 && !conditions(); i++) {
      if (running()[0]) await end(running()[0], 'Succeeded');
      harness.client.endWatches(new Error('reset'));
      await harness.clock.step(10_000);
    }
    expect(conditions()).toContain('Complete=True CompletionsReached');
    expect(pods().filter(({ status }) => status?.phase === 'Succeeded')).toHaveLength(6);
    expect(job()?.status?.succeeded).toBe(6);
  });

  test('a finished job goes when its ttl is over', async () => {
    await start({ ttlSecondsAfterFinished: 60 });
    await end(running()[0], 'Succeeded');
    await harness.clock.step(59_000);
    expect(job()?.metadata?.deletionTimestamp).toBeUndefined();
    await harness.clock.step(1000);
    expect(job()?.metadata?.deletionTimestamp).toBeDefined();
  });

  test('a deleted job lets its pods go uncounted', async () => {
    await start();
    harness.client.put(resources.jobs, {
      ...job()!,
      metadata: { ...job()!.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['foregroundDeletion'] },
    });
    await harness.settle();
    expect(pods()[0]?.metadata?.finalizers).toEqual([]);
    expect(keyOf(pods()[0]!)).toMatch(/^default\/j-/);
  });
});

test('indexes are printed short and read back', () => {
  expect(printIndexes(new Set([5, 0, 1, 2, 7, 8]))).toBe('0-2,5,7,8');
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50)), (indexes) => {
      expect([...parseIndexes(printIndexes(new Set(indexes)))].sort((a, b) => a - b)).toEqual(
        [...indexes].sort((a, b) => a - b),
      );
    }),
  );
});
