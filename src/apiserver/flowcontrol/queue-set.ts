import type { FlowStats, RejectReason } from './flow-stats.ts';
import { FlowQueue, LevelRequest, SERVICE_MS } from './level-request.ts';
import { SeatDemand } from './seat-demand.ts';

// Those of most levels are made once.
const KEPT_QUEUES = 256;

/** How a priority level treats requests that find no seat. */
export interface QueueSettings {
  /** `exempt` never lets one wait, `reject` turns it away. */
  readonly type: 'exempt' | 'reject' | 'queue';
  readonly queueLengthLimit: number;
}

/** A request that asks for seats. */
export interface SeatRequest {
  readonly stats: FlowStats;
  readonly seats: number;
  readonly isWatch: boolean;
  /** The queues among which this flow chooses. */
  readonly hand: () => readonly number[];
}

/**
 * The seats of one priority level, and the queues before them: fair queuing for server requests, as upstream has it. Each queue
 * has its own virtual time, at which its next request would start if all queues were served at once; the one that would end
 * first is next. A request takes as long as SERVICE_MS until it is known better. Nothing here reads a clock.
 */
export class QueueSet {
  readonly demand: SeatDemand;
  /** By their number; those that nobody has asked for are not there. */
  readonly #queues = new Map<number, FlowQueue>();
  #settings: QueueSettings = { type: 'reject', queueLengthLimit: 0 };
  #limit = 0;
  /** Seat milliseconds that each busy queue has been given since the start. */
  #virtualTime = 0;
  #lastTime: number;
  #enqueued = 0;
  #busyQueues = 0;
  waiting = 0;
  executing = 0;
  seatsInUse = 0;
  #seatsWaiting = 0;
  dispatched = 0;
  rejected = 0;
  timedOut = 0;

  constructor(now: number) {
    this.#lastTime = now;
    this.demand = new SeatDemand(now);
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  /** Queues in which somebody waits. */
  get activeQueues(): number {
    let count = 0;
    for (const { requests } of this.#queues.values()) if (requests.size > 0) count++;
    return count;
  }

  /** Takes up new settings; requests that wait stay where they are. */
  configure(settings: QueueSettings, limit: number, now: number): void {
    this.#advance(now);
    this.#settings = settings;
    this.#limit = limit;
    this.#dispatch(now);
  }

  /** A request that executes or waits; undefined when it was turned away. */
  start(request: SeatRequest, now: number): LevelRequest | undefined {
    if (this.#settings.type !== 'queue') return this.#startWithoutQueue(request, now);
    this.#advance(now);
    const queue = this.#chooseQueue(request.hand());
    if (this.seatsInUse >= this.#limit && queue.requests.size >= this.#settings.queueLengthLimit) {
      this.#reject(request, 'queue-full', 0);
      return undefined;
    }
    const waiting = new LevelRequest(request, queue, { now, virtualTime: this.#virtualTime });
    if (queue.isIdle) {
      queue.nextStart = this.#virtualTime;
      this.#busyQueues++;
    }
    if (this.waiting === 0 && this.seatsInUse < this.#limit && this.#accommodates(request.seats)) {
      if (queue.nextStart < this.#virtualTime) queue.nextStart = this.#virtualTime;
      this.#begin(waiting, queue, now);
    } else {
      this.#enqueue(waiting, queue);
      this.#dispatch(now);
    }
    this.#noteDemand(now);
    return waiting;
  }

  /** Takes a request out of its queue that has waited long enough. */
  cancel(request: LevelRequest, now: number): void {
    const { queue } = request;
    if (!queue?.requests.has(request)) return;
    this.#advance(now);
    this.#dequeue(request, queue);
    if (queue.isIdle) this.#retire(queue);
    queue.bound();
    this.timedOut++;
    this.#reject(request, 'time-out', now - request.arrivedAt);
    this.#noteDemand(now);
    request.decide(false);
  }

  /** Gives the seats of an executing request back. */
  finish(request: LevelRequest, now: number): void {
    this.#advance(now);
    const { stats, seats, queue } = request;
    const duration = now - request.startedAt;
    this.executing--;
    this.seatsInUse -= seats;
    stats.executing--;
    stats.executingSeats -= seats;
    stats.executions[request.isWatch ? 'watch' : 'regular'].record(duration);
    if (queue) {
      queue.executing--;
      queue.nextStart -= seats * (SERVICE_MS - duration);
      queue.bound();
      if (queue.isIdle) this.#retire(queue);
    }
    this.#dispatch(now);
    this.#noteDemand(now);
  }

  #startWithoutQueue(request: SeatRequest, now: number): LevelRequest | undefined {
    if (this.#settings.type === 'reject' && !this.#accommodates(request.seats)) {
      this.#reject(request, 'concurrency-limit', 0);
      return undefined;
    }
    const started = new LevelRequest(request, undefined, { now, virtualTime: this.#virtualTime });
    this.#execute(started, now);
    this.#noteDemand(now);
    return started;
  }

  // The queue of the hand where the least work waits; the rotation keeps overlapping hands from preferring one.
  #chooseQueue(hand: readonly number[]): FlowQueue {
    const offset = this.#enqueued++ % hand.length;
    const seatsIn = (index: number): number => this.#queues.get(index)?.seatsWaiting ?? 0;
    let best = hand[offset]!;
    let least = seatsIn(best);
    for (let i = 1; i < hand.length && least > 0; i++) {
      const index = hand[(offset + i) % hand.length]!;
      const seats = seatsIn(index);
      if (seats < least) [best, least] = [index, seats];
    }
    return this.#queueAt(best);
  }

  #enqueue(request: LevelRequest, queue: FlowQueue): void {
    const { stats, seats } = request;
    queue.requests.add(request);
    queue.seatsWaiting += seats;
    queue.bound();
    this.waiting++;
    this.#seatsWaiting += seats;
    stats.waiting++;
    stats.waitingSeats += seats;
  }

  #dequeue(request: LevelRequest, queue: FlowQueue): void {
    const { stats, seats } = request;
    queue.requests.delete(request);
    queue.seatsWaiting -= seats;
    this.waiting--;
    this.#seatsWaiting -= seats;
    stats.waiting--;
    stats.waitingSeats -= seats;
  }

  #dispatch(now: number): void {
    while (this.waiting > 0 && this.seatsInUse < this.#limit) {
      const queue = this.#nextQueue();
      const request = queue.oldest!;
      if (!this.#accommodates(request.seats)) return;
      this.#dequeue(request, queue);
      this.#begin(request, queue, now);
      request.decide(true);
    }
  }

  #begin(request: LevelRequest, queue: FlowQueue, now: number): void {
    queue.served = this.dispatched;
    queue.executing++;
    queue.nextStart += request.seats * SERVICE_MS;
    queue.bound();
    this.#execute(request, now);
  }

  // Of several that would end at the same time the one that has waited for its turn the longest.
  #nextQueue(): FlowQueue {
    let best: FlowQueue | undefined;
    let bestEnd = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues.values()) {
      const { oldest } = queue;
      if (!oldest) continue;
      const end = queue.nextStart + oldest.seats * SERVICE_MS;
      if (end < bestEnd || (end === bestEnd && queue.served < best!.served)) [best, bestEnd] = [queue, end];
      if (queue.requests.size === this.waiting) break;
    }
    return best!;
  }

  #execute(request: LevelRequest, now: number): void {
    const { stats, seats } = request;
    request.isExecuting = true;
    request.startedAt = now;
    this.executing++;
    this.seatsInUse += seats;
    this.dispatched++;
    stats.dispatched++;
    stats.executing++;
    stats.executingSeats += seats;
    if (this.#settings.type !== 'exempt') stats.waits.true.record(now - request.arrivedAt);
  }

  // What asks for more than there is gets all of it, when nobody else works.
  #accommodates(seats: number): boolean {
    return seats > this.#limit ? this.executing === 0 : this.seatsInUse + seats <= this.#limit;
  }

  #reject({ stats }: Pick<SeatRequest, 'stats'>, reason: RejectReason, waitedMs: number): void {
    this.rejected++;
    stats.rejected[reason]++;
    stats.waits.false.record(waitedMs);
  }

  #noteDemand(now: number): void {
    this.demand.set(this.seatsInUse + this.#seatsWaiting, now);
  }

  #advance(now: number): void {
    const elapsed = now - this.#lastTime;
    this.#lastTime = now;
    if (this.#busyQueues === 0 || elapsed <= 0) return;
    const seats = Math.min(this.seatsInUse + this.#seatsWaiting, this.#limit);
    this.#virtualTime += (elapsed * seats) / this.#busyQueues;
  }

  #queueAt(index: number): FlowQueue {
    let queue = this.#queues.get(index);
    if (!queue) {
      queue = new FlowQueue(index);
      this.#queues.set(index, queue);
    }
    return queue;
  }

  // A queue in which nothing is has nothing to remember; a level may have ten million of them.
  #retire(queue: FlowQueue): void {
    this.#busyQueues--;
    if (this.#queues.size > KEPT_QUEUES) this.#queues.delete(queue.index);
  }
}
