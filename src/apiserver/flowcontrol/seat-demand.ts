/** What a priority level could have used over one period, in seats. */
export interface DemandSummary {
  readonly highWatermark: number;
  /** Undefined, as is the deviation, where no time has passed. */
  readonly average: number | undefined;
  readonly deviation: number | undefined;
}

/** Integrates over time how many seats a priority level uses or waits for. */
export class SeatDemand {
  #since: number;
  #last: number;
  #seats = 0;
  #highest = 0;
  #integral = 0;
  #squares = 0;

  constructor(now: number) {
    this.#since = now;
    this.#last = now;
  }

  set(seats: number, now: number): void {
    this.#advance(now);
    this.#seats = seats;
    if (seats > this.#highest) this.#highest = seats;
  }

  /** Sums up the time since the last call and starts anew. */
  reset(now: number): DemandSummary {
    this.#advance(now);
    const duration = now - this.#since;
    const average = this.#integral / duration;
    const deviation = Math.sqrt(Math.max(0, this.#squares / duration - average * average));
    const highWatermark = this.#highest;
    this.#since = now;
    this.#integral = 0;
    this.#squares = 0;
    this.#highest = this.#seats;
    return duration > 0
      ? { highWatermark, average, deviation }
      : { highWatermark, average: undefined, deviation: undefined };
  }

  #advance(now: number): void {
    const elapsed = now - this.#last;
    if (elapsed <= 0) return;
    this.#last = now;
    this.#integral += elapsed * this.#seats;
    this.#squares += elapsed * this.#seats * this.#seats;
  }
}
