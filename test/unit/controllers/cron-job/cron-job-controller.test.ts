import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCronJobController } from '../../../../src/controllers/cron-job/cron-job-controller.ts';
import type { CronJob, CronJobSpec, Job } from '../../../../src/kube/generated/types.ts';
import { resources } from '../../../../src/kube/resources.ts';
import { timestampOf } from '../../../../src/kube/timestamp.ts';
import { ControllerHarness } from '../../../helpers/controller-harness.ts';

const MINUTE = 60_000;
const build = (spec: Partial<CronJobSpec> = {}): CronJob => ({
  metadata: { name: 'c', namespace: 'default', uid: 'cron' },
  spec: { schedule: '* * * * *', jobTemplate: { metadata: { labels: { a: 'b' } }, spec: { template: {} } }, ...spec },
});

describe('CronJob', () => {
  let harness: ControllerHarness;
  beforeEach(() => {
    harness = new ControllerHarness();
  });
  afterEach(() => harness[Symbol.dispose]());

  const start = async (spec: Partial<CronJobSpec> = {}) => {
    harness.client.put(resources.cronJobs, build(spec));
    await harness.start(startCronJobController);
  };
  const jobs = () => harness.client.all(resources.jobs);
  const cron = () => harness.client.peek(resources.cronJobs, 'default/c')!;
  const finish = async (job: Job, type: 'Complete' | 'Failed') => {
    const time = timestampOf(harness.clock.now());
    const status = {
      conditions: [{ type, status: 'True', lastTransitionTime: time }],
      ...(type === 'Complete' ? { completionTime: time } : {}),
    };
    harness.client.put(resources.jobs, { ...job, status });
    await harness.settle();
  };

  test('makes a Job each time it is due, named after the time', async () => {
    await start();
    expect(jobs()).toEqual([]);
    await harness.clock.step(2 * MINUTE);
    const minute = Date.UTC(2026, 0, 1) / MINUTE;
    expect(jobs()).toMatchObject([
      {
        metadata: {
          name: `c-${minute + 1}`,
          labels: { a: 'b' },
          annotations: { 'batch.kubernetes.io/cronjob-scheduled-timestamp': '2026-01-01T00:01:00Z' },
          ownerReferences: [{ kind: 'CronJob', uid: 'cron' }],
        },
      },
      { metadata: { name: `c-${minute + 2}` } },
    ]);
    expect(cron().status).toMatchObject({
      lastScheduleTime: '2026-01-01T00:02:00Z',
      active: [{ name: `c-${minute + 1}` }, { name: `c-${minute + 2}` }],
    });
    await finish(jobs()[0]!, 'Complete');
    expect(cron().status).toMatchObject({
      lastSuccessfulTime: '2026-01-01T00:02:00Z',
      active: [{ name: `c-${minute + 2}` }],
    });
    expect(harness.failures).toEqual([]);
  });

  test('Forbid waits for the run before, Replace ends it', async () => {
    await start({ concurrencyPolicy: 'Forbid' });
    await harness.clock.step(2 * MINUTE);
    expect(jobs()).toHaveLength(1);
    expect(await harness.events()).toContain(
      'JobAlreadyActive Not starting job because prior execution is running and concurrency policy is Forbid',
    );
    harness.client.put(resources.cronJobs, { ...cron(), spec: { ...cron().spec!, concurrencyPolicy: 'Replace' } });
    await harness.clock.step(MINUTE);
    expect(jobs().map(({ metadata }) => metadata?.name)).toEqual([`c-${Date.UTC(2026, 0, 1) / MINUTE + 3}`]);
  });

  test('suspended it makes none', async () => {
    await start({ suspend: true });
    await harness.clock.step(3 * MINUTE);
    expect(jobs()).toEqual([]);
  });

  test('finished Jobs beyond the history limits go', async () => {
    await start({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 });
    for (let i = 0; i < 8; i++) {
      await harness.clock.step(MINUTE);
      await finish(jobs().at(-1)!, i % 2 === 0 ? 'Complete' : 'Failed');
    }
    const types = jobs()
      .map(({ status }) => status?.conditions?.[0]?.type)
      .sort();
    expect(types).toEqual(['Complete', 'Complete', 'Failed']);
  });

  test('of many missed times only the last is made up for', async () => {
    harness.client.put(resources.cronJobs, { ...build(), status: { lastScheduleTime: '2025-12-31T00:00:00Z' } });
    await harness.start(startCronJobController);
    expect(
      jobs().map(({ metadata }) => metadata?.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp']),
    ).toEqual(['2026-01-01T00:00:00Z']);
  });

  test('times missed by more than startingDeadlineSeconds are not made up for', async () => {
    harness.client.put(resources.cronJobs, {
      ...build({ schedule: '0 12 * * *', startingDeadlineSeconds: 60 }),
      status: { lastScheduleTime: '2025-12-30T12:00:00Z' },
    });
    await harness.start(startCronJobController);
    expect(jobs()).toEqual([]);
  });

  test('a schedule that cannot be read is told', async () => {
    await start({ schedule: 'now and then' });
    expect(await harness.events()).toEqual([
      expect.stringMatching(/^UnparseableSchedule unparseable schedule "now and then"/),
    ]);
  });
});
