import type { Clock } from '../../kube/clock.ts';
import type { Node } from '../../kube/generated/types.ts';
import type { Family } from '../../netfilter/runner.ts';

/** What /healthz and /livez tell. */
export interface HealthReport {
  readonly healthy: boolean;
  /** Milliseconds: the present time while healthy, else the last update of the family that is late. */
  readonly lastUpdated: number;
  readonly currentTime: number;
  readonly nodeEligible: boolean;
}

const DELETION_TAINT = 'ToBeDeletedByClusterAutoscaler';

/**
 * Whether a proxy keeps up: unhealthy when a change of any family waits for `timeoutMs` or longer. A node that is about to
 * be removed is not eligible, which only /healthz minds, so that load balancers drain it while the proxy goes on.
 */
export class HealthState {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #lastUpdated = new Map<Family, number>();
  readonly #oldestQueued = new Map<Family, number>();
  #nodeEligible = true;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** A change of this family was accepted; the time of the first one counts. */
  queued(family: Family): void {
    if (!this.#oldestQueued.has(family)) this.#oldestQueued.set(family, this.#clock.now());
  }

  /** All changes of this family are in the kernel. */
  updated(family: Family): void {
    this.#oldestQueued.delete(family);
    this.#lastUpdated.set(family, this.#clock.now());
  }

  /** True when every change that was accepted is in the kernel. */
  get isCurrent(): boolean {
    return this.#oldestQueued.size === 0;
  }

  setNode(node: Node | undefined): void {
    if (node === undefined) return;
    const tainted = node.spec?.taints?.some(({ key }) => key === DELETION_TAINT) ?? false;
    this.#nodeEligible = node.metadata?.deletionTimestamp === undefined && !tainted;
  }

  /** True unless this family is late. One without an update yet is starting, which is healthy. */
  isFamilyHealthy(family: Family): boolean {
    const queued = this.#oldestQueued.get(family);
    if (queued === undefined || !this.#lastUpdated.has(family)) return true;
    return this.#clock.now() - queued < this.#timeoutMs;
  }

  /** The proxy alone: what /livez and the health checks of Services look at. */
  get live(): HealthReport {
    const currentTime = this.#clock.now();
    const late = [...this.#lastUpdated].find(([family]) => !this.isFamilyHealthy(family));
    return {
      healthy: late === undefined,
      lastUpdated: late === undefined ? currentTime : late[1],
      currentTime,
      nodeEligible: this.#nodeEligible,
    };
  }

  /** The proxy and its node: what /healthz tells. */
  get health(): HealthReport {
    const live = this.live;
    return { ...live, healthy: live.healthy && live.nodeEligible };
  }

  /** Last update of each family in milliseconds, for families that had one. */
  get families(): ReadonlyMap<Family, { readonly lastUpdated: number; readonly healthy: boolean }> {
    return new Map(
      [...this.#lastUpdated].map(([family, lastUpdated]) => [
        family,
        { lastUpdated, healthy: this.isFamilyHealthy(family) },
      ]),
    );
  }
}
