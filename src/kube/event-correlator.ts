import type { Event } from './generated/types.ts';
import { RecentlyUsed } from './recently-used.ts';

/** An event as it is to be written; events of one key are one object whose count rises. */
export interface CorrelatedEvent {
  readonly key: string;
  readonly event: Event;
}

// As in client-go (tools/record/events_cache.go).
const REMEMBERED = 4096;
const SIMILAR = 10;
const SIMILAR_WITHIN_MS = 600_000;
const BURST = 25;
const REFILL_MS = 300_000;

interface Similar {
  at: number;
  readonly messages: Set<string>;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Keeps an object with much to tell from flooding the API, as client-go does: from the tenth event on that differs from others
 * in its message alone they are combined into one, and an object gets 25 writes of one source, then one every five minutes.
 */
export class EventCorrelator {
  readonly #similar = new RecentlyUsed<string, Similar>(REMEMBERED);
  readonly #buckets = new RecentlyUsed<string, Bucket>(REMEMBERED);

  /** What to write of an event that happened at `now`, in milliseconds; undefined for nothing. */
  correlate(event: Event, now: number): CorrelatedEvent | undefined {
    const { kind, namespace, name, uid, apiVersion, fieldPath } = event.involvedObject;
    const object = [kind, namespace, name, uid, apiVersion].join('\n');
    if (!this.#takeToken(object, now)) return undefined;
    const group = [object, event.type, event.reason].join('\n');
    if (this.#isOneOfMany(group, event.message ?? '', now))
      return { key: group, event: { ...event, message: `(combined from similar events): ${event.message ?? ''}` } };
    return { key: [group, event.message, fieldPath].join('\n'), event };
  }

  #isOneOfMany(group: string, message: string, now: number): boolean {
    const before = this.#similar.get(group);
    const isRecent = before !== undefined && now - before.at <= SIMILAR_WITHIN_MS;
    const similar = isRecent ? before : { at: now, messages: new Set<string>() };
    similar.at = now;
    const isNew = !similar.messages.has(message);
    if (isNew && similar.messages.size >= SIMILAR - 1) return true;
    similar.messages.add(message);
    this.#similar.set(group, similar);
    return false;
  }

  #takeToken(object: string, now: number): boolean {
    const bucket = this.#buckets.get(object) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    this.#buckets.set(object, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
