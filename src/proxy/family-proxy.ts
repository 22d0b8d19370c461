import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../kube/clock.ts';
import type { ConntrackRunner, Family } from '../netfilter/runner.ts';
import { staleFlows, type UdpPort } from './conntrack/stale-flows.ts';
import type { NodeNetwork } from './facts/node-network.ts';
import type { ServiceFacts } from './facts/service-facts.ts';
import { type StateChange, StateTracker } from './facts/state-tracker.ts';
import type { HealthState } from './health/health-state.ts';
import type { ProxyMetrics } from './metrics/proxy-metrics.ts';
import type { ProxyBackend, ProxyState, SyncReport } from './proxy-backend.ts';
import { SyncRunner } from './sync/sync-runner.ts';

export interface FamilyProxyOptions {
  readonly family: Family;
  readonly clock: Clock;
  readonly facts: ServiceFacts;
  readonly backend: ProxyBackend;
  /** Marks the rules as this proxy's; awaited when they are written from nothing. */
  readonly claim: () => Promise<void>;
  /** Builds the node facts anew; undefined while something about the node is not known yet. */
  readonly node: () => NodeNetwork | undefined;
  readonly conntrack: ConntrackRunner | undefined;
  readonly health: HealthState;
  readonly metrics: ProxyMetrics;
  readonly syncPeriodMs: number;
  readonly minSyncPeriodMs: number | undefined;
  /** Without minSyncPeriodMs: rests so many times as long as it worked. */
  readonly restFactor: number | undefined;
  /** Told after each successful sync. */
  readonly onSynced: (state: ProxyState, report: SyncReport) => void;
  readonly onError: (message: string, error: unknown) => void;
  readonly onWarning: (message: string, error: unknown) => void;
}

const FULL_SYNC_PERIOD_MS = 3_600_000;

/** The proxy of one node in one IP family: keeps one backend in step with the facts. */
export class FamilyProxy implements AsyncDisposable {
  readonly #options: FamilyProxyOptions;
  readonly #runner: SyncRunner;
  readonly #first = Promise.withResolvers<void>();
  #tracker: StateTracker | undefined;
  #monitor: Disposable | undefined;
  readonly #createdAt: number;
  /** Services that changed and triggers of changes that are not in the kernel yet: failed syncs leave them to the next. */
  readonly #unsettled = { services: new Set<string>(), triggerTimes: [] as number[] };
  #needsFull = true;
  #lastFullAt = 0;
  #started = false;
  #closed = false;

  constructor(options: FamilyProxyOptions) {
    this.#options = options;
    this.#createdAt = options.clock.now();
    this.#runner = new SyncRunner({
      clock: options.clock,
      sync: () => this.#sync(),
      onError: (error) => this.#failed(error),
      minPeriodMs: options.minSyncPeriodMs,
      restFactor: options.restFactor,
      maxPeriodMs: FULL_SYNC_PERIOD_MS,
      maxRetryMs: options.syncPeriodMs,
    });
  }

  /** Resolves after the first sync. */
  get synced(): Promise<void> {
    return this.#first.promise;
  }

  /** Starts syncing; the facts must have synced. */
  start(): void {
    this.#started = true;
    this.request();
    this.#watch();
  }

  /** Asks for a sync: something about the node may have changed. `full` writes everything anew. */
  request({ full = false }: { readonly full?: boolean } = {}): void {
    if (full) this.#needsFull = true;
    // Before the first lists are in, rules would be those of a cluster without Services.
    if (this.#started) this.#runner.request();
  }

  /** Leaves the rules as they are until `resume`; resolves when no sync runs. */
  async pause(): Promise<void> {
    this.#runner.suspend();
    await this.#runner.idle();
  }

  /** Goes on, by writing everything anew. */
  resume(): void {
    this.#needsFull = true;
    this.#runner.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#monitor?.[Symbol.dispose]();
    this.#runner[Symbol.dispose]();
    this.#tracker?.[Symbol.dispose]();
    await this.#runner.idle();
  }

  #queued(kind: 'service' | 'endpoints'): void {
    const { clock, health, family, metrics } = this.#options;
    health.queued(family);
    metrics.queued(family, kind, { at: clock.now() });
    this.#countPending();
    this.#runner.request();
  }

  #countPending(): void {
    if (this.#tracker !== undefined) this.#options.metrics.pending(this.#options.family, this.#tracker.pending);
  }

  // A full sync says nothing of what the next change costs: that does not wait.
  async #sync(): Promise<boolean> {
    const node = this.#options.node();
    if (node === undefined) return false;
    const tracker = this.#trackerOf(node);
    const { clock, health, family, metrics, onWarning } = this.#options;
    const full = this.#needsFull || clock.now() - this.#lastFullAt >= FULL_SYNC_PERIOD_MS;
    const { state, changed } = this.#take(tracker);
    this.#countPending();
    const startedAt = clock.now();
    this.#needsFull = false;
    const report = await this.#write(state, full ? 'all' : changed);
    const now = clock.now();
    if (report.kind === 'full') this.#lastFullAt = now;
    metrics.synced(family, report, { seconds: (now - startedAt) / 1000, at: now });
    metrics.countNoLocalEndpoints(family, tracker.withLocalPolicy());
    for (const time of this.#unsettled.triggerTimes.splice(0)) metrics.programmed(family, (now - time) / 1000);
    const { recoveredFrom } = report;
    if (recoveredFrom !== undefined) {
      onWarning(`a ${recoveredFrom.attempt} sync of ${family} rules was refused`, recoveredFrom.cause);
    }
    if (report.cleanupFailure !== undefined) {
      onWarning(`clean-up after a sync of ${family} rules was refused`, report.cleanupFailure);
    }
    health.updated(family);
    // What came in meanwhile waits for the next sync.
    if (Object.values(tracker.pending).some((count) => count > 0)) health.queued(family);
    this.#first.resolve();
    this.#options.onSynced(state, report);
    await this.#cleanConntrack();
    return report.kind !== 'full';
  }

  // What began before this proxy did says nothing about how long it takes.
  #take(tracker: StateTracker): Pick<StateChange, 'state' | 'changed'> {
    const { services, triggerTimes, ...change } = tracker.take();
    for (const service of services) this.#unsettled.services.add(service);
    this.#unsettled.triggerTimes.push(...triggerTimes.filter((time) => time >= this.#createdAt));
    return change;
  }

  async #write(state: ProxyState, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const { backend, claim } = this.#options;
    try {
      if (changed === 'all') await claim();
      const report = await backend.sync(state, changed);
      // Who removed the rules that were to be changed may have removed the mark with them.
      if (changed !== 'all' && report.kind === 'full') await claim();
      return report;
    } catch (error) {
      // Taken facts are not pending any more: only a full sync brings them now.
      this.#needsFull = true;
      throw error;
    }
  }

  #trackerOf(node: NodeNetwork): StateTracker {
    const { facts } = this.#options;
    if (this.#tracker === undefined) {
      this.#tracker = new StateTracker(facts, node, (change) => this.#queued(change.kind));
      this.#countFirst();
    } else if (!isDeepStrictEqual(this.#tracker.node, node)) {
      this.#tracker.setNode(node);
      this.#needsFull = true;
    }
    return this.#tracker;
  }

  // What was there before is a change for a proxy that begins.
  #countFirst(): void {
    const { facts, family, metrics, clock } = this.#options;
    const { services, slices } = facts.count(family);
    metrics.queued(family, 'service', { at: clock.now(), count: services });
    metrics.queued(family, 'endpoints', { at: clock.now(), count: slices });
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    this.#options.metrics.failed(this.#options.family);
    this.#options.onError(`sync of ${this.#options.family} rules failed`, error);
  }

  // An endpoint that stops serving may be none that rules lead to any more, and still have flows.
  #mayHaveStaleFlows(services: ReadonlySet<string>): boolean {
    const { facts, family } = this.#options;
    return [...services].some((service) => facts.portsOf(family, service).some(({ protocol }) => protocol === 'udp'));
  }

  async #cleanConntrack(): Promise<void> {
    const { conntrack, family, metrics, clock, onError } = this.#options;
    const { services } = this.#unsettled;
    if (conntrack === undefined || !this.#mayHaveStaleFlows(services)) {
      services.clear();
      return;
    }
    const startedAt = clock.now();
    try {
      const stale = staleFlows(await conntrack.list(family, 'udp'), this.#udpPorts());
      const deleted = stale.length === 0 ? 0 : await conntrack.delete(stale);
      metrics.reconciled(family, deleted, (clock.now() - startedAt) / 1000);
      services.clear();
    } catch (error) {
      if (!this.#closed) onError(`clean-up of ${family} UDP flows failed`, error);
    }
  }

  *#udpPorts(): Iterable<UdpPort> {
    const { facts, family } = this.#options;
    for (const service of facts.services(family)) {
      for (const port of facts.portsOf(family, service)) {
        if (port.protocol === 'udp') yield { port, endpoints: facts.endpointsOf(family, service).get(port.key) ?? [] };
      }
    }
  }

  // Somebody may flush our rules: looked for once per sync period, and again soon after a repair, as whoever flushes may not
  // have been done yet.
  #watch(delayMs = this.#options.syncPeriodMs): void {
    const { clock, syncPeriodMs } = this.#options;
    this.#monitor = clock.schedule(delayMs, () => {
      void this.#check().then(
        (intact) => this.#closed || this.#watch(intact ? syncPeriodMs : Math.min(1000, syncPeriodMs)),
      );
    });
  }

  async #check(): Promise<boolean> {
    const { backend, onError, family } = this.#options;
    try {
      const intact = await backend.isIntact();
      if (!intact && !this.#closed) this.request({ full: true });
      return intact;
    } catch (error) {
      if (!this.#closed) onError(`check of ${family} rules failed`, error);
      return true;
    }
  }
}
