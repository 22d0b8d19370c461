import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import { type CorrelatedEvent, EventCorrelator } from './event-correlator.ts';
import type { Event } from './generated/types.ts';
import { RecentlyUsed } from './recently-used.ts';
import { apiVersionOf, type KubeObject, type ResourceType, resources } from './resources.ts';
import { isReason } from './status.ts';
import { timestampOf } from './timestamp.ts';

export interface EventDetails {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for machines: `Scheduled`. */
  readonly reason: string;
  readonly message: string;
  /** For example `spec.containers{web}`. */
  readonly fieldPath?: string | undefined;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** Shown as the source: `deployment-controller`, `default-scheduler`, `kubelet`. */
  readonly component: string;
  /** Node name, for components that run on a node. */
  readonly host?: string | undefined;
  /** Told when an event could not be written; nobody waits for events. */
  readonly onError: (error: unknown) => void;
  /** Events are written this long after they happen, so that they do not stand in the way of what they tell. Default 25. */
  readonly delayMs?: number;
}

const REMEMBERED = 4096;

// Shared by all recorders of the process, so that two events of one millisecond differ.
let count = 0;

/**
 * Writes core/v1 Events in the background, as client-go's recorder: a repeated one raises the count of the first, and what is
 * too much is combined or left out.
 */
export class EventRecorder implements Disposable {
  readonly #options: EventRecorderOptions;
  readonly #correlator = new EventCorrelator();
  readonly #pending: CorrelatedEvent[] = [];
  readonly #written = new RecentlyUsed<string, Event>(REMEMBERED);
  #timer: Disposable | undefined;
  #busy = false;
  #closed = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Records that something happened to `object`; returns at once. */
  record(type: ResourceType, object: KubeObject, details: EventDetails): void {
    if (this.#closed) return;
    const event = this.#build(type, object, details);
    const correlated = this.#correlator.correlate(event, this.#options.clock.now());
    if (correlated === undefined) return;
    this.#pending.push(correlated);
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#pending.length = 0;
  }

  #build(type: ResourceType, object: KubeObject, { reason, message, type: severity, fieldPath }: EventDetails): Event {
    const { name = '', namespace, uid, resourceVersion } = object.metadata ?? {};
    const now = this.#options.clock.now();
    const { component, host } = this.#options;
    const serial = (BigInt(now) * 1_000_000n + BigInt(count++ % 1_000_000)).toString(16);
    return {
      metadata: { name: `${name}.${serial}`, namespace: namespace ?? 'default' },
      involvedObject: {
        kind: type.kind,
        apiVersion: apiVersionOf(type),
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      reason,
      message,
      type: severity,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: timestampOf(now),
      lastTimestamp: timestampOf(now),
      count: 1,
    };
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#busy || this.#closed) return;
    this.#timer = this.#options.clock.schedule(this.#options.delayMs ?? 25, () => {
      this.#timer = undefined;
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (const { key, event } of this.#pending.splice(0)) {
      if (this.#closed) return;
      try {
        await this.#write(key, event);
      } catch (error) {
        // The namespace is being deleted, or was: nobody will read the event.
        if (!isReason(error, 'Forbidden') && !isReason(error, 'NotFound') && !this.#closed)
          this.#options.onError(error);
      }
    }
    this.#busy = false;
    if (this.#pending.length > 0) this.#schedule();
  }

  async #write(key: string, event: Event): Promise<void> {
    const earlier = this.#written.get(key);
    if (earlier === undefined) return this.#create(key, event);
    const { name = '', namespace } = earlier.metadata;
    const { lastTimestamp, message } = event;
    const body = { count: (earlier.count ?? 1) + 1, lastTimestamp, message };
    try {
      const patched = await this.#options.client.patch(resources.events, { namespace, name }, { type: 'merge', body });
      this.#written.set(key, patched);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      await this.#create(key, event);
    }
  }

  async #create(key: string, event: Event): Promise<void> {
    this.#written.set(key, await this.#options.client.create(resources.events, event));
  }
}
