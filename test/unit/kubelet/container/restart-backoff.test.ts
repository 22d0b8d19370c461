import { describe, expect, test } from 'vitest';
import { printPause, RestartBackoff } from '../../../../src/kubelet/container/restart-backoff.ts';

const seconds = (count: number): number => count * 1000;

describe('the back-off of a container', () => {
  test('lets the first restart through and then doubles from 10 s to 5 min', () => {
    const backoff = new RestartBackoff();
    const pauses: number[] = [];
    let now = 0;
    for (let i = 0; i < 9; i++) {
      const pause = backoff.pauseAfter(now);
      pauses.push(pause / 1000);
      backoff.restart(now, now + pause);
      now += pause + seconds(1);
    }
    expect(pauses).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  test('is forgotten when the container ran for more than ten minutes', () => {
    const backoff = new RestartBackoff();
    backoff.restart(0, 0);
    expect(backoff.pauseAfter(seconds(600))).toBe(seconds(10));
    expect(backoff.pauseAfter(seconds(601))).toBe(0);
    backoff.restart(seconds(601), seconds(601));
    expect(backoff.pauseAfter(seconds(602))).toBe(seconds(10));
  });

  test('is printed as Go prints durations', () => {
    expect([10_000, 80_000, 300_000].map(printPause)).toEqual(['10s', '1m20s', '5m0s']);
  });
});
