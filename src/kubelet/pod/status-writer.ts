import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Pod, PodStatus } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import { isReason } from '../../kube/status.ts';

/** A pod whose status is to be written. */
export interface StatusSource {
  readonly pod: Pod;
  readonly status: PodStatus;
}

export interface StatusWriterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

const CONCURRENCY = 16;
const RETRY_MS = 500;

/**
 * Writes pod statuses in the background: only the latest of each pod, one write of a pod at a time, changes of one turn of
 * the event loop together. A patch of the status subresource cannot conflict with other writers.
 */
export class StatusWriter implements Disposable {
  readonly #options: StatusWriterOptions;
  readonly #waiting = new Map<string, StatusSource>();
  readonly #running = new Set<string>();
  readonly #settled = new Map<string, (() => void)[]>();
  readonly #timers = new Set<Disposable>();
  #scheduled = false;
  #closed = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Writes `source.status` as it is when its turn comes. */
  add(source: StatusSource): void {
    if (this.#closed) return;
    this.#waiting.set(uidOf(source), source);
    this.#schedule();
  }

  /** Resolves when nothing of this pod waits to be written or is being written. */
  flushed(source: StatusSource): Promise<void> {
    const uid = uidOf(source);
    if (!this.#waiting.has(uid) && !this.#running.has(uid)) return Promise.resolve();
    return new Promise((resolve) => this.#settled.set(uid, [...(this.#settled.get(uid) ?? []), resolve]));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const timer of this.#timers) timer[Symbol.dispose]();
    for (const resolvers of this.#settled.values()) for (const resolve of resolvers) resolve();
    this.#settled.clear();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const [uid, source] of this.#waiting) {
        if (this.#running.size >= CONCURRENCY) break;
        if (this.#running.has(uid)) continue;
        this.#waiting.delete(uid);
        this.#running.add(uid);
        void this.#write(uid, source);
      }
    });
  }

  async #write(uid: string, source: StatusSource): Promise<void> {
    try {
      await this.#patch(source);
    } catch (error) {
      // The pod is gone, or another one has its name by now.
      const isGone = isReason(error, 'NotFound') || isReason(error, 'Conflict') || isReason(error, 'Invalid');
      if (!isGone) this.#again(uid, source, error);
    } finally {
      this.#running.delete(uid);
      if (!this.#waiting.has(uid)) this.#settle(uid);
      this.#schedule();
    }
  }

  #patch({ pod, status }: StatusSource): Promise<Pod> {
    const { name = '', namespace, uid } = pod.metadata ?? {};
    const body = { metadata: { uid }, status: replaceLists(status) };
    const options = { subresource: 'status', fieldManager: 'kubelet' };
    return this.#options.client.patch(resources.pods, { namespace, name }, { type: 'strategic', body }, options);
  }

  #again(uid: string, source: StatusSource, error: unknown): void {
    if (this.#closed) return;
    this.#options.onError(error);
    const timer = this.#options.clock.schedule(RETRY_MS, () => {
      this.#timers.delete(timer);
      if (!this.#waiting.has(uid)) this.add(source);
    });
    this.#timers.add(timer);
  }

  #settle(uid: string): void {
    for (const resolve of this.#settled.get(uid) ?? []) resolve();
    this.#settled.delete(uid);
  }
}

// A strategic patch merges these lists by address; an address that a pod no longer has must go.
function replaceLists(status: PodStatus): unknown {
  const { podIPs, hostIPs, ...rest } = status;
  const replace = { $patch: 'replace' };
  return {
    ...rest,
    message: status.message ?? null,
    reason: status.reason ?? null,
    ...(podIPs === undefined ? {} : { podIPs: [...podIPs, replace] }),
    ...(hostIPs === undefined ? {} : { hostIPs: [...hostIPs, replace] }),
  };
}

const uidOf = ({ pod }: StatusSource): string => pod.metadata?.uid ?? '';
