const FIRST_MS = 10_000;
const MAX_MS = 300_000;
// The kubelet forgets a back-off once the container ran for twice the longest one.
const FORGET_AFTER_MS = 2 * MAX_MS;

/** The kubelet's back-off of one container: none at first, then 10 s doubling to 5 min, forgotten after 10 min of running. */
export class RestartBackoff {
  #delayMs = 0;
  #restartedAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds to wait after an end at `finishedAt` (milliseconds since the epoch) before it may start again. */
  pauseAfter(finishedAt: number): number {
    return finishedAt - this.#restartedAt > FORGET_AFTER_MS ? 0 : this.#delayMs;
  }

  /** Notes that it starts again now, after its end at `finishedAt`: the next pause is longer. */
  restart(finishedAt: number, now: number): void {
    const pause = this.pauseAfter(finishedAt);
    this.#delayMs = pause === 0 ? FIRST_MS : Math.min(pause * 2, MAX_MS);
    this.#restartedAt = now;
  }
}

/** Prints a pause as Go's time.Duration does: `10s`, `1m20s`, `5m0s`. */
export function printPause(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
