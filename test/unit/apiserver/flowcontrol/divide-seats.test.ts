import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocateSeats, type SeatClaim } from '../../../../src/apiserver/flowcontrol/allocate-seats.ts';
import {
  mandatoryPriorityLevels,
  suggestedPriorityLevels,
} from '../../../../src/apiserver/flowcontrol/bootstrap-configuration.ts';
import { divideSeats, lendSeats } from '../../../../src/apiserver/flowcontrol/divide-seats.ts';
import { FlowStats } from '../../../../src/apiserver/flowcontrol/flow-stats.ts';
import { PriorityLevel } from '../../../../src/apiserver/flowcontrol/priority-level.ts';

const NOW = 1000;

function startedLevels(): ReadonlyMap<string, PriorityLevel> {
  const all = [...mandatoryPriorityLevels, ...suggestedPriorityLevels].map((each) => new PriorityLevel(each, NOW));
  divideSeats(all, 600);
  lendSeats(all, NOW);
  return new Map(all.map((level) => [level.name, level]));
}

test('the levels that a cluster starts with have the seats that they have in the real server', () => {
  const limits = [...startedLevels()].map(([name, { limits, demand }]) => [name, { ...limits, target: demand.target }]);
  expect(Object.fromEntries(limits)).toEqual({
    exempt: { nominal: 0, lower: 0, upper: 600, target: 0 },
    'catch-all': { nominal: 13, lower: 13, upper: 613, target: 13 },
    'global-default': { nominal: 49, lower: 24, upper: 649, target: 24 },
    'leader-election': { nominal: 25, lower: 25, upper: 625, target: 25 },
    'node-high': { nominal: 98, lower: 73, upper: 698, target: 73 },
    system: { nominal: 74, lower: 50, upper: 674, target: 50 },
    'workload-high': { nominal: 98, lower: 49, upper: 698, target: 49 },
    'workload-low': { nominal: 245, lower: 24, upper: 845, target: 24 },
  });
});

test('a level that needs much borrows what others do not need, and gives it back', () => {
  const levels = startedLevels();
  const busy = levels.get('workload-high')!;
  const before = busy.current!;
  const stats = new FlowStats('workload-high', 'schema');
  const requests = Array.from({ length: 300 }, (_, i) =>
    busy.queueSet.start({ stats, seats: 1, isWatch: false, hand: () => [i % 128] }, NOW),
  );
  lendSeats([...levels.values()], NOW + 10_000);
  expect(busy.current).toBeGreaterThan(before);
  expect(busy.queueSet.executing).toBe(Math.min(300, busy.current!));
  const given = [...levels.values()].reduce((sum, level) => sum + level.current!, 0);
  expect(given).toBeGreaterThan(602 - 8);
  expect(given).toBeLessThan(602 + 8);
  for (const level of levels.values()) expect(level.current).toBeGreaterThanOrEqual(level.limits.lower);
  for (let i = 0; i < requests.length; i++) busy.queueSet.finish(requests[i]!, NOW + 10_000);
  for (let period = 2; period < 1000; period++) lendSeats([...levels.values()], NOW + period * 10_000);
  expect(busy.current).toBe(before);
});

test('exempt requests use seats that others could have, down to what they never lend', () => {
  const levels = startedLevels();
  const stats = new FlowStats('exempt', 'exempt');
  for (let i = 0; i < 10_000; i++) {
    levels.get('exempt')!.queueSet.start({ stats, seats: 1, isWatch: false, hand: () => [] }, NOW);
  }
  expect(lendSeats([...levels.values()], NOW + 10_000)).toBe(0);
  for (const level of levels.values()) if (!level.isExempt) expect(level.current).toBe(level.limits.lower);
});

describe('seats are allocated', () => {
  const claim = fc
    .tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }))
    .map(([low, more, target]): SeatClaim => ({ low, high: low + more, target: low + target }));

  test('all of them, within the bounds of everybody, and in proportion where no bound is in the way', () => {
    fc.assert(
      fc.property(
        fc.array(claim, { minLength: 1, maxLength: 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (claims, at) => {
          const sum = (key: 'low' | 'high'): number => claims.reduce((total, each) => total + each[key], 0);
          const total = sum('low') + Math.floor((sum('high') - sum('low')) * at);
          const { seats, fraction } = allocateSeats(total, claims);
          expect(seats.reduce((all, each) => all + each, 0)).toBeCloseTo(total, 5);
          claims.forEach(({ low, high, target }, i) => {
            expect(seats[i]).toBeGreaterThanOrEqual(low);
            expect(seats[i]).toBeLessThanOrEqual(high);
            const fair = fraction * Math.max(target, 0.001);
            if (seats[i]! > low && seats[i]! < high) expect(seats[i]).toBeCloseTo(fair, 5);
          });
        },
      ),
    );
  });
});
