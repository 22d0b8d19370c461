import { describe, expect, it } from 'vitest';
import { SyncRunner } from '../../../../src/proxy/sync/sync-runner.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

function start(
  options: {
    minPeriodMs?: number;
    restFactor?: number;
    workMs?: number;
    needsRest?: boolean;
    fails?: () => boolean;
  } = {},
) {
  const clock = new SteppedClock(0);
  const runs: number[] = [];
  const errors: unknown[] = [];
  const runner = new SyncRunner({
    clock,
    minPeriodMs: options.minPeriodMs,
    restFactor: options.restFactor,
    maxPeriodMs: 3_600_000,
    maxRetryMs: 30_000,
    onError: (error) => errors.push(error),
    sync: async () => {
      runs.push(clock.now());
      if (options.workMs) await new Promise<void>((resolve) => void clock.schedule(options.workMs!, resolve));
      if (options.fails?.()) throw new Error('refused');
      return options.needsRest ?? true;
    },
  });
  return { clock, runner, runs, errors };
}

describe('syncs without a least period', () => {
  it('start at once', async () => {
    const { clock, runner, runs } = start();
    runner.request();
    await clock.step(0);
    expect(runs).toEqual([0]);
  });

  it('serve all requests of a run with one further run, after resting as long as it took', async () => {
    const { clock, runner, runs } = start({ workMs: 40 });
    runner.request();
    await clock.step(10);
    for (let i = 0; i < 5; i++) runner.request();
    await clock.step(200);
    expect(runs).toEqual([0, 80]);
  });

  it('do not wait for one that says nothing of what the next costs', async () => {
    const { clock, runner, runs } = start({ workMs: 40, needsRest: false });
    runner.request();
    await clock.step(10);
    runner.request();
    await clock.step(200);
    expect(runs).toEqual([0, 40]);
  });

  it('do not wait when the last one is long over', async () => {
    const { clock, runner, runs } = start({ workMs: 40 });
    runner.request();
    await clock.step(500);
    runner.request();
    await clock.step(0);
    expect(runs).toEqual([0, 500]);
  });
});

describe('syncs that rest longer than they work', () => {
  it('are few while requests keep coming', async () => {
    const { clock, runner, runs } = start({ workMs: 100, restFactor: 10 });
    for (let at = 0; at < 4450; at += 50) {
      runner.request();
      await clock.step(50);
    }
    expect(runs).toEqual([0, 1100, 2200, 3300, 4400]);
  });

  it('follow the last request soon', async () => {
    const { clock, runner, runs } = start({ workMs: 100, restFactor: 10 });
    runner.request();
    await clock.step(150);
    runner.request();
    await clock.step(100);
    runner.request();
    await clock.step(5000);
    expect(runs).toEqual([0, 750]);
  });
});

describe('syncs with a least period', () => {
  it('come in a burst of two, then one per period', async () => {
    const { clock, runner, runs } = start({ minPeriodMs: 1000 });
    for (let at = 0; at < 3500; at += 100) {
      runner.request();
      await clock.step(100);
    }
    expect(runs.slice(0, 2)).toEqual([0, 100]);
    for (const [index, at] of runs.entries()) if (index >= 2) expect(at - runs[index - 1]!).toBeGreaterThanOrEqual(800);
    expect(runs.length).toBeLessThanOrEqual(6);
  });
});

describe('a sync that fails', () => {
  it('is told and tried again, each time after twice the wait', async () => {
    let failures = 4;
    const { clock, runner, runs, errors } = start({ fails: () => failures-- > 0 });
    runner.request();
    await clock.step(10_000);
    expect(runs).toEqual([0, 100, 300, 700, 1500]);
    expect(errors).toHaveLength(4);
  });

  it('waits no longer than the sync period', async () => {
    const { clock, runner, runs } = start({ fails: () => true });
    runner.request();
    await clock.step(200_000);
    const waits = runs.slice(1).map((at, index) => at - runs[index]!);
    expect(Math.max(...waits)).toBe(30_000);
  });
});

it('a sync happens once an hour even if nobody asks', async () => {
  const { clock, runner, runs } = start();
  runner.request();
  await clock.step(3 * 3_600_000);
  expect(runs).toHaveLength(4);
});

it('nothing runs after the end, and idle() waits for what still runs', async () => {
  const { clock, runner, runs } = start({ workMs: 50 });
  runner.request();
  await clock.step(10);
  runner.request();
  runner[Symbol.dispose]();
  let idle = false;
  const waiting = runner.idle().then(() => {
    idle = true;
  });
  await clock.step(10);
  expect(idle).toBe(false);
  await clock.step(1000);
  await waiting;
  expect(runs).toEqual([0]);
  expect(clock.pending).toBe(0);
});
