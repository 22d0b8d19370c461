import type { Random } from '../../kube/clock.ts';

const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/** Milliseconds to wait after so many failures in a row (0 = the first): doubled each time, by chance between half and whole. */
export function backoffMs(failures: number, random: Random): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 20));
  return whole * (0.5 + random() / 2);
}
