import type { FlowStats } from './flow-stats.ts';

/** How long a request is taken to work, until it has. */
export const SERVICE_MS = 3;

/** Requests of one or more flows, one after the other. */
export class FlowQueue {
  readonly index: number;
  /** In the order in which they came. */
  readonly requests = new Set<LevelRequest>();
  seatsWaiting = 0;
  executing = 0;
  /** The virtual time at which its next request would start. */
  nextStart = 0;
  /** When it was last served, counted in requests. */
  served = 0;

  constructor(index: number) {
    this.index = index;
  }

  get oldest(): LevelRequest | undefined {
    return this.requests.size === 0 ? undefined : this.requests.values().next().value;
  }

  get isIdle(): boolean {
    return this.requests.size === 0 && this.executing === 0;
  }

  /** Nobody starts before he came: a queue that could not use all its time has not saved it up. */
  bound(): void {
    const { oldest } = this;
    if (oldest && this.nextStart < oldest.arrivedVirtually) this.nextStart = oldest.arrivedVirtually;
  }
}

/** One request of a priority level, from its arrival until its end. */
export class LevelRequest {
  readonly stats: FlowStats;
  readonly seats: number;
  readonly isWatch: boolean;
  readonly queue: FlowQueue | undefined;
  readonly arrivedAt: number;
  readonly arrivedVirtually: number;
  isExecuting = false;
  /** When it began to execute. */
  startedAt = 0;
  /** Called when it may be worked on, or may not any more. */
  onDecision: ((executes: boolean) => void) | undefined;

  constructor(
    { stats, seats, isWatch }: { readonly stats: FlowStats; readonly seats: number; readonly isWatch: boolean },
    queue: FlowQueue | undefined,
    { now, virtualTime }: { readonly now: number; readonly virtualTime: number },
  ) {
    this.stats = stats;
    this.seats = seats;
    this.isWatch = isWatch;
    this.queue = queue;
    this.arrivedAt = now;
    this.arrivedVirtually = virtualTime;
  }

  decide(executes: boolean): void {
    this.onDecision?.(executes);
  }
}
