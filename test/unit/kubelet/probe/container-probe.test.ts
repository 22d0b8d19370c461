import { describe, expect, it } from 'vitest';
import { ContainerProbe } from '../../../../src/kubelet/probe/container-probe.ts';
import type { ProbeKind, ProbeOutcome } from '../../../../src/kubelet/probe/probe-outcome.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

function probing(kind: ProbeKind, succeedsAt: number) {
  const clock = new SteppedClock();
  const began = clock.now();
  const runs: number[] = [];
  const failures: number[] = [];
  const verdicts: boolean[] = [];
  const run = async (): Promise<ProbeOutcome> => {
    runs.push(clock.now() - began);
    return clock.now() - began >= succeedsAt
      ? { result: 'success' }
      : ({ result: 'failure', message: 'refused' } as ProbeOutcome);
  };
  const probe = new ContainerProbe({
    kind,
    spec: { periodSeconds: 10 },
    clock,
    run,
    onFailure: () => failures.push(clock.now() - began),
    onVerdict: (_kind, isSuccess) => verdicts.push(isSuccess),
  });
  probe.start();
  return { clock, runs, failures, verdicts };
}

describe('ContainerProbe', () => {
  it('lets a container that listens after some milliseconds become ready then, not a period later', async () => {
    const { clock, failures, verdicts, runs } = probing('readiness', 25);
    await clock.step(0);
    for (let step = 0; step < 4; step++) await clock.step(10);
    expect(verdicts).toEqual([true]);
    expect(failures).toEqual([0]);
    expect(runs.at(-1)).toBeLessThan(50);
  });

  it('counts and reports only the regular failures', async () => {
    const { clock, failures } = probing('readiness', Number.POSITIVE_INFINITY);
    await clock.step(0);
    for (let step = 0; step < 2500; step++) await clock.step(10);
    expect(failures).toEqual([0, 10_000, 20_000]);
  });

  it('looks at liveness only once a period', async () => {
    const { clock, runs } = probing('liveness', 25);
    await clock.step(0);
    for (let step = 0; step < 1500; step++) await clock.step(10);
    expect(runs).toEqual([0, 10_000]);
  });
});
