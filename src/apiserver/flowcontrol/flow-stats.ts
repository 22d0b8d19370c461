/** Upper bounds in seconds of the histograms, as upstream has them, thinned out. */
export const WAIT_BUCKETS = [0, 0.005, 0.02, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30] as const;

/** A histogram of durations. */
export class Durations {
  /** How many were longer than the bound before and not longer than this one; the last are longer than all. */
  readonly buckets: number[] = [...WAIT_BUCKETS.map(() => 0), 0];
  count = 0;
  seconds = 0;

  record(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    this.count++;
    this.seconds += seconds;
    let i = 0;
    while (i < WAIT_BUCKETS.length && seconds > WAIT_BUCKETS[i]!) i++;
    this.buckets[i]!++;
  }
}

export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out';

/** What is counted for one flow schema of one priority level. */
export class FlowStats {
  readonly level: string;
  readonly schema: string;
  dispatched = 0;
  executing = 0;
  executingSeats = 0;
  waiting = 0;
  waitingSeats = 0;
  readonly rejected: Record<RejectReason, number> = { 'queue-full': 0, 'concurrency-limit': 0, 'time-out': 0 };
  /** Of requests that were worked on in the end, and of those that were not. */
  readonly waits = { true: new Durations(), false: new Durations() };
  readonly executions = { regular: new Durations(), watch: new Durations() };

  constructor(level: string, schema: string) {
    this.level = level;
    this.schema = schema;
  }

  get isIdle(): boolean {
    return this.executing + this.waiting === 0;
  }
}
