/** What is counted of a listener, and at which index of its counters. */
export const COUNTER = {
  /** TCP connections, or UDP flows, that were given an endpoint to try. */
  opened: 0,
  closed: 1,
  /** From clients to endpoints. */
  bytesIn: 2,
  bytesOut: 3,
  datagramsIn: 4,
  datagramsOut: 5,
  /** Attempts to connect that an endpoint refused or did not answer in time. */
  failedAttempts: 6,
  /** Connections for which no endpoint answered. */
  unreachable: 7,
  resetByClient: 8,
  resetByEndpoint: 9,
  /** Ended because nothing was sent for too long. */
  idle: 10,
  /** Reset because the endpoint had left. */
  drained: 11,
  /** Times that accepting paused for want of descriptors. */
  exhausted: 12,
  latencySum: 13,
  latencyCount: 14,
  /** The first of the buckets. */
  latency: 15,
} as const;

/** Upper bounds of the time to connect to an endpoint, in seconds. */
export const LATENCY_BUCKETS: readonly number[] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1];

const SIZE = COUNTER.latency + LATENCY_BUCKETS.length;

/** Numbers by index, in memory that one thread writes and others may read at any time. */
export type Counters = Float64Array<SharedArrayBuffer>;

/** Counters that are all 0. */
export function createCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(SIZE * Float64Array.BYTES_PER_ELEMENT));
}

/** Counts how long it took to connect to an endpoint. */
export function observeLatency(counters: Counters, seconds: number): void {
  const index = LATENCY_BUCKETS.findIndex((bound) => seconds <= bound);
  if (index !== -1) counters[COUNTER.latency + index]! += 1;
  counters[COUNTER.latencySum]! += seconds;
  counters[COUNTER.latencyCount]! += 1;
}

/** The sums of several counters. */
export function addCounters(all: readonly Counters[]): Counters {
  const sum = createCounters();
  for (const counters of all) for (let index = 0; index < SIZE; index++) sum[index]! += counters[index]!;
  return sum;
}
