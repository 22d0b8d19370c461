import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with what `promise` does. Throws what `tooLate` makes when that takes more than so many milliseconds. */
export async function within<T>(promise: Promise<T>, ms: number, tooLate: () => Error): Promise<T> {
  const cancel = new AbortController();
  const late = delay(ms, undefined, { signal: cancel.signal }).then(() => {
    throw tooLate();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    // Who was in time has its answer; that nobody waits for the limit any more is no failure.
    late.catch(() => {});
    cancel.abort();
  }
}
