import { buildReply, type Reply } from '../server/reply.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** A reply kept for a question, and what is known of its use. */
export class CacheItem {
  readonly reply: Reply;
  /** Seconds it was good for when stored. */
  readonly ttl: number;
  /** Milliseconds. */
  readonly stored: number;
  /** Whether its answer section really answers the question. */
  readonly answering: boolean;
  /** The last answering item under this key, when this one is none. */
  lastKnownGood: CacheItem | undefined;
  refreshing = false;
  retryAfter = 0;
  #lastHit = 0;
  hits = 0;

  constructor(reply: Reply, kept: { ttl: number; stored: number; answering: boolean }) {
    this.reply = reply;
    this.ttl = kept.ttl;
    this.stored = kept.stored;
    this.answering = kept.answering;
  }

  /** Seconds left; negative once it is stale. */
  left(now: number): number {
    return this.ttl - Math.floor((now - this.stored) / 1000);
  }

  /** Counts a hit; hits further apart than `window` milliseconds start again at one. */
  hit(now: number, window: number): void {
    this.hits = this.#lastHit < now - window ? 1 : this.hits + 1;
    this.#lastHit = now;
  }

  resetHits(now: number, hits: number): void {
    this.#lastHit = now;
    this.hits = hits;
  }

  /** The reply with this TTL on every record. As CoreDNS: AA is always set, since old resolvers insist on it. */
  toReply(ttl: number, keepAuthenticated: boolean): Reply {
    const { rcode, recursionAvailable, authenticatedData, answer, authority, additional } = this.reply;
    return buildReply('cache', {
      rcode,
      authoritative: true,
      recursionAvailable,
      authenticatedData: authenticatedData && keepAuthenticated,
      answer: withTtl(answer, ttl),
      authority: withTtl(authority, ttl),
      additional: withTtl(additional, ttl),
    });
  }
}

/** The same records with one TTL. */
export function withTtl(records: readonly ResourceRecord[], ttl: number): readonly ResourceRecord[] {
  return records.map((record) => (record.ttl === ttl ? record : { ...record, ttl }));
}

/** Items by key up to a capacity; the one stored longest ago makes room. */
export class CacheStore {
  readonly #items = new Map<string, CacheItem>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#items.size;
  }

  get(key: string): CacheItem | undefined {
    return this.#items.get(key);
  }

  /** Returns true when another item had to go. */
  add(key: string, item: CacheItem): boolean {
    this.#items.delete(key);
    const full = this.#items.size >= Math.max(1, this.#capacity);
    if (full) {
      const [oldest] = this.#items.keys();
      this.#items.delete(oldest!);
    }
    this.#items.set(key, item);
    return full;
  }

  delete(key: string): void {
    this.#items.delete(key);
  }
}
