const MAX_RETRY_AFTER = 32;

interface Second {
  readonly second: number;
  dropped: number;
}

/** How long clients of one priority level are told to stay away: longer, as long as many are turned away. */
export class DroppedRequests {
  #retryAfter = 1;
  #raisedAt = 0;
  #history: Second[] = [];

  /** In seconds. */
  get retryAfter(): number {
    return this.#retryAfter;
  }

  /** Counts one request that was turned away at `now` (milliseconds). */
  record(now: number): void {
    const second = Math.floor(now / 1000);
    const current = this.#history.at(-1);
    if (current?.second === second) {
      current.dropped++;
      return;
    }
    this.#adjust(second);
    this.#history.push({ second, dropped: 1 });
  }

  // Doubles after three times as many as seconds, and comes down by one at a time, as TCP does it.
  #adjust(second: number): void {
    const period = this.#retryAfter;
    this.#history = this.#history.filter((entry) => second - entry.second <= MAX_RETRY_AFTER);
    const dropped = this.#history
      .filter((entry) => second - entry.second <= period)
      .reduce((sum, entry) => sum + entry.dropped, 0);
    if (second - this.#raisedAt >= period && dropped >= 3 * period) {
      this.#retryAfter = Math.min(2 * period, MAX_RETRY_AFTER);
      this.#raisedAt = second;
    } else if (dropped < period && period > 1) this.#retryAfter = period - 1;
  }
}
