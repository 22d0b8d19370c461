import type { Duplex } from 'node:stream';
import type { PriorityLevelConfiguration } from '../../kube/generated/types.ts';
import type { ApiRequest } from '../http/api-request.ts';
import type { RequestInfo } from '../http/request-info.ts';
import { followStore } from '../machinery/follow-store.ts';
import type { Machinery } from '../machinery/machinery.ts';
import { listPrefix } from '../machinery/object-keys.ts';
import type { Caller } from '../machinery/strategy.ts';
import { mandatoryFlowSchemas, mandatoryPriorityLevels } from './bootstrap-configuration.ts';
import { type ActiveSchema, Classifier, type Flow } from './classifier.ts';
import { divideSeats, lendSeats } from './divide-seats.ts';
import { FLOW_CONTROL_PREFIX, flowControl } from './flow-control-types.ts';
import { compareFlowSchemas } from './flow-schema-order.ts';
import { FlowStats } from './flow-stats.ts';
import type { LevelRequest } from './level-request.ts';
import { PriorityLevel } from './priority-level.ts';
import { isLongRunning, seatsOf, waitLimitOf } from './request-cost.ts';

const LENDING_MS = 10_000;
/** Seats of the whole server: those that kube-apiserver has for reading and for writing. */
const SERVER_SEATS = 400 + 200;

type EnteringRequest = Pick<ApiRequest, 'query' | 'raw'>;
type Source = Pick<Machinery, 'store' | 'reader' | 'clock' | 'registry'>;

/** API Priority and Fairness: finds the flow of each request and the seats that it works on. */
export class FlowControl implements Disposable {
  readonly #source: Source;
  readonly #seats: number;
  readonly #following: Disposable;
  /** By level and schema: those of now, and gone ones that still have requests. */
  readonly #stats = new Map<string, FlowStats>();
  #levels = new Map<string, PriorityLevel>();
  #classifier!: Classifier;
  #activeStats: ReadonlySet<FlowStats> = new Set();
  #lending: Disposable | undefined;
  #fairFraction = 0;

  constructor(source: Source, seats = SERVER_SEATS) {
    this.#source = source;
    this.#seats = seats;
    this.#digest();
    this.#following = followStore(source.store, FLOW_CONTROL_PREFIX, () => this.#digest());
    this.#scheduleLending();
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
    this.#lending?.[Symbol.dispose]();
  }

  /** The flow of a request; undefined for one that takes no part. */
  classify(caller: Caller, info: RequestInfo): Flow | undefined {
    return isLongRunning(info) ? undefined : this.#classifier.flowOf(caller, info);
  }

  /** Takes seats, at once or when some are free; undefined when the request is turned away. */
  enter(
    flow: Flow,
    info: RequestInfo,
    request: EnteringRequest,
  ): LevelRequest | undefined | Promise<LevelRequest | undefined> {
    const { level, stats, hand } = flow;
    const now = this.#source.clock.now();
    const seats = level.isExempt ? 1 : this.#seatsOf(level, info, request);
    const entered = level.queueSet.start({ stats, seats, isWatch: info.verb === 'watch', hand }, now);
    if (!entered) level.dropped.record(now);
    if (!entered || entered.isExecuting) return entered;
    return this.#wait(level, entered, { info, request });
  }

  /** Gives the seats of a request back. */
  leave(flow: Flow, request: LevelRequest): void {
    flow.level.queueSet.finish(request, this.#source.clock.now());
    if (flow.level.isQuiescing && flow.level.queueSet.isIdle) this.#digest();
  }

  get levels(): readonly PriorityLevel[] {
    return [...this.#levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get stats(): readonly FlowStats[] {
    return [...this.#stats.values()];
  }

  get fairFraction(): number {
    return this.#fairFraction;
  }

  #seatsOf(level: PriorityLevel, info: RequestInfo, { query }: EnteringRequest): number {
    const { registry, store } = this.#source;
    const countObjects = (): number => {
      const resource = info.type === 'resource' && registry.find(info.group, info.version, info.resource);
      if (!resource) return 0;
      return store.count(listPrefix(resource.stored.prefix, resource.type.namespaced ? info.namespace : undefined));
    };
    return Math.min(level.maxSeats, seatsOf(info, query, countObjects));
  }

  async #wait(
    level: PriorityLevel,
    waiting: LevelRequest,
    { info, request }: { readonly info: RequestInfo; readonly request: EnteringRequest },
  ): Promise<LevelRequest | undefined> {
    const { clock } = this.#source;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    waiting.onDecision = resolve;
    const giveUp = (): void => level.queueSet.cancel(waiting, clock.now());
    using _timer = clock.schedule(waitLimitOf(info, request.query), giveUp);
    using _gone = onClose(request.raw.socket, giveUp);
    if (await promise) return waiting;
    level.dropped.record(clock.now());
    return undefined;
  }

  // Reads the configuration anew. What is gone stays until the last of its requests is done.
  #digest(): void {
    const { reader, clock } = this.#source;
    const now = clock.now();
    const levels = new Map<string, PriorityLevel>();
    for (const configuration of completed(reader.list(flowControl.priorityLevels), mandatoryPriorityLevels)) {
      const name = configuration.metadata?.name ?? '';
      const level = this.#levels.get(name) ?? new PriorityLevel(configuration, now);
      level.configure(configuration);
      levels.set(name, level);
    }
    const schemas = this.#activeSchemas(levels);
    this.#activeStats = new Set(schemas.map(({ stats }) => stats));
    this.#forgetGone();
    for (const [name, level] of this.#levels) {
      if (levels.has(name) || level.queueSet.isIdle) continue;
      level.isQuiescing = true;
      levels.set(name, level);
    }
    this.#levels = levels;
    this.#classifier = new Classifier(schemas);
    divideSeats([...levels.values()], this.#seats);
    this.#lend();
  }

  #activeSchemas(levels: ReadonlyMap<string, PriorityLevel>): ActiveSchema[] {
    const schemas = completed(this.#source.reader.list(flowControl.flowSchemas), mandatoryFlowSchemas);
    return [...schemas].sort(compareFlowSchemas).flatMap((schema) => {
      const level = levels.get(schema.spec?.priorityLevelConfiguration.name ?? '');
      return level ? [{ schema, level, stats: this.#statsOf(level.name, schema.metadata?.name ?? '') }] : [];
    });
  }

  #statsOf(level: string, schema: string): FlowStats {
    const key = `${level}/${schema}`;
    const stats = this.#stats.get(key) ?? new FlowStats(level, schema);
    this.#stats.set(key, stats);
    return stats;
  }

  #forgetGone(): void {
    for (const [key, stats] of this.#stats) if (stats.isIdle && !this.#activeStats.has(stats)) this.#stats.delete(key);
  }

  #lend(): void {
    this.#fairFraction = lendSeats([...this.#levels.values()], this.#source.clock.now());
  }

  #scheduleLending(): void {
    this.#lending = this.#source.clock.schedule(LENDING_MS, () => {
      this.#lend();
      this.#forgetGone();
      this.#scheduleLending();
    });
  }
}

// Tells once when the connection breaks off.
function onClose(socket: Duplex, listener: () => void): Disposable {
  socket.once('close', listener);
  return { [Symbol.dispose]: () => void socket.off('close', listener) };
}

// The mandatory ones are always there, also while somebody has deleted them.
function completed<T extends Pick<PriorityLevelConfiguration, 'metadata'>>(
  found: readonly T[],
  mandatory: readonly T[],
): readonly T[] {
  const names = new Set(found.map(({ metadata }) => metadata?.name));
  return [...found, ...mandatory.filter(({ metadata }) => !names.has(metadata?.name))];
}
