/** Time as pure rooms see it: injected, so that tests step it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `callback` once after `ms`; the returned handle cancels it. */
  schedule(ms: number, callback: () => void): Disposable;
}

/** Randomness as pure rooms see it: a number in [0, 1). Seeded in tests. */
export type Random = () => number;
