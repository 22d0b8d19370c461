import type { Clock } from '../../src/kube/clock.ts';

/** Real time, for tests in which a kernel takes part. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
