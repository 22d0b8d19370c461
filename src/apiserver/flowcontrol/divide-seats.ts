import { allocateSeats } from './allocate-seats.ts';
import type { PriorityLevel } from './priority-level.ts';

/** Gives every level its nominal part of `total` seats, by its shares. */
export function divideSeats(levels: readonly PriorityLevel[], total: number): void {
  const shares = levels.reduce((sum, level) => sum + level.shares, 0);
  for (const level of levels) level.divide(total, shares);
}

/** Lets levels that need more borrow what others do not need; returns the fraction of its target that each level gets. */
export function lendSeats(levels: readonly PriorityLevel[], now: number): number {
  for (const level of levels) level.noteDemand(now);
  const limited = levels.filter(({ isExempt }) => !isExempt);
  const total = levels.reduce((sum, { limits }) => sum + limits.nominal, 0);
  let rest = total;
  for (const level of levels) {
    if (!level.isExempt) continue;
    const seats = Math.max(level.limits.lower, level.demand.highWatermark);
    rest -= seats;
    level.setCurrent(seats, now);
  }
  return lendAmong(limited, { total, rest }, now);
}

function lendAmong(
  levels: readonly PriorityLevel[],
  { total, rest }: { readonly total: number; readonly rest: number },
  now: number,
): number {
  const needed = levels.map(neededBy);
  const lowest = levels.reduce((sum, { limits }) => sum + limits.lower, 0);
  const needs = needed.reduce((sum, seats) => sum + seats, 0);
  levels.forEach((level, i) => {
    level.demand.target = Math.max(needed[i]!, level.demand.smoothed);
  });
  if (rest <= needs) {
    // Exempt requests use so much that not even all needs can be met.
    const part = rest <= lowest ? 0 : (rest - lowest) / (needs - lowest);
    for (const [i, level] of levels.entries()) {
      const { lower } = level.limits;
      level.setCurrent(lower + Math.round((needed[i]! - lower) * part), now);
    }
    return 0;
  }
  const claims = levels.map(({ limits, demand }, i) => ({
    low: needed[i]!,
    high: limits.upper,
    target: demand.target,
  }));
  const { seats, fraction } = allocateSeats(total, claims);
  for (const [i, level] of levels.entries()) level.setCurrent(Math.round(seats[i]!), now);
  return fraction;
}

// What it has used of what is its own.
function neededBy({ limits, demand }: PriorityLevel): number {
  return Math.max(limits.lower, Math.min(limits.nominal, demand.highWatermark));
}
