import type { Clock } from '../../src/kube/clock.ts';

/** The machine's clock, for tests that speak to other programs. */
export const realClock: Clock = {
  now: () => Date.now(),
  schedule(ms, callback) {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
