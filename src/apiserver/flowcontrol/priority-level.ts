import type { PriorityLevelConfiguration } from '../../kube/generated/types.ts';
import { DroppedRequests } from './dropped-requests.ts';
import { QueueSet } from './queue-set.ts';

// Upstream's: the half-life of a smoothed demand is five minutes of ten-second periods.
const SMOOTHING = 0.977;
// The part of a level that one request may occupy, and what none exceeds.
const MAX_SEATS_PART = 0.15;
const MAX_SEATS = 10;

/** What one priority level may use of the server, in seats. */
export interface SeatLimits {
  readonly nominal: number;
  /** What it never lends. */
  readonly lower: number;
  /** What it has with all that it may borrow. */
  readonly upper: number;
}

/** One priority level at work: its configuration of now, its seats and queues. */
export class PriorityLevel {
  readonly name: string;
  readonly queueSet: QueueSet;
  readonly dropped = new DroppedRequests();
  configuration!: PriorityLevelConfiguration;
  isExempt = false;
  /** True for one that is configured no more and still has requests. */
  isQuiescing = false;
  limits: SeatLimits = { nominal: 0, lower: 0, upper: 0 };
  /** Seats that it may use at present. */
  current = 0;
  demand = { highWatermark: 0, average: 0, deviation: 0, smoothed: 0, target: 0 };

  constructor(configuration: PriorityLevelConfiguration, now: number) {
    this.name = configuration.metadata?.name ?? '';
    this.queueSet = new QueueSet(now);
    this.configure(configuration);
  }

  /** Takes up another configuration; `divide` and `setCurrent` make it hold. */
  configure(configuration: PriorityLevelConfiguration): void {
    this.configuration = configuration;
    this.isExempt = configuration.spec?.type === 'Exempt';
    this.isQuiescing = false;
  }

  /** Its shares of the server. */
  get shares(): number {
    const { exempt, limited } = this.configuration.spec ?? {};
    return (exempt ?? limited)?.nominalConcurrencyShares ?? (this.isExempt ? 0 : 30);
  }

  get #queuing() {
    return this.configuration.spec?.limited?.limitResponse?.queuing;
  }

  get queues(): number {
    return this.#queuing?.queues ?? 0;
  }

  get handSize(): number {
    return this.#queuing?.handSize ?? 0;
  }

  /** The most seats that one request of it occupies. */
  get maxSeats(): number {
    const { nominal } = this.limits;
    const byHand = this.handSize > 0 ? Math.floor(nominal / this.handSize) : MAX_SEATS;
    return Math.min(MAX_SEATS, Math.max(1, Math.min(Math.ceil(nominal * MAX_SEATS_PART), byHand)));
  }

  /** Takes its part of `total` seats, of which all levels together have `allShares` shares. */
  divide(total: number, allShares: number): void {
    const { exempt, limited } = this.configuration.spec ?? {};
    const nominal = allShares > 0 ? Math.ceil((total * this.shares) / allShares) : 0;
    const lendable = Math.round((nominal * ((exempt ?? limited)?.lendablePercent ?? 0)) / 100);
    const borrowing = limited?.borrowingLimitPercent;
    const borrowed = borrowing === undefined ? total : Math.round((nominal * borrowing) / 100);
    this.limits = { nominal, lower: nominal - lendable, upper: nominal + borrowed };
  }

  /** Sums up what it needed since the last time. */
  noteDemand(now: number): void {
    const { highWatermark, average, deviation } = this.queueSet.demand.reset(now);
    if (average === undefined || deviation === undefined) {
      this.demand = { ...this.demand, highWatermark };
      return;
    }
    const envelope = average + deviation;
    const smoothed = Math.max(envelope, SMOOTHING * this.demand.smoothed + (1 - SMOOTHING) * envelope);
    this.demand = { ...this.demand, highWatermark, average, deviation, smoothed };
  }

  /** Lets it use this many seats from now on. */
  setCurrent(seats: number, now: number): void {
    this.current = seats;
    const queuing = this.#queuing;
    const type = this.isExempt ? 'exempt' : queuing ? 'queue' : 'reject';
    this.queueSet.configure({ type, queueLengthLimit: queuing?.queueLengthLimit ?? 0 }, seats, now);
  }
}
