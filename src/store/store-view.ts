import type { TowtankError } from '../errors/towtank-error.ts';
import { History } from './history.ts';
import { prefixEnd, SortedEntries } from './sorted-entries.ts';
import {
  type KeyValue,
  type RangeOptions,
  type RangeResult,
  StoreCompactedError,
  type StoreEvent,
  StoreFutureRevisionError,
  type StoreWatch,
  type WatchRequest,
} from './store.ts';
import { WatchHub } from './watch-hub.ts';

/** The readable side of every engine: the current state, the events since the last compaction, and the watches. */
export class StoreView {
  readonly #hub = new WatchHub();
  #values = new Map<string, KeyValue>();
  #sorted = new SortedEntries();
  #history = new History();
  #revision: number;
  #compactedRevision: number;

  constructor(revision = 1) {
    this.#revision = revision;
    this.#compactedRevision = revision;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compactedRevision;
  }

  get(key: string): KeyValue | undefined {
    return this.#values.get(key);
  }

  count(prefix: string): number {
    return this.#sorted.count(prefix, prefixEnd(prefix));
  }

  range(prefix: string, options: RangeOptions = {}): RangeResult {
    const { limit = 0, after, atRevision } = options;
    if (atRevision !== undefined) this.#checkRevision(atRevision);
    const from = after === undefined || after < prefix ? prefix : `${after}\0`;
    const to = prefixEnd(prefix);
    const changed =
      atRevision === undefined || atRevision === this.#revision ? [] : this.#history.after(atRevision, prefix);
    const revision = atRevision ?? this.#revision;
    if (changed.length > 0) return { ...this.#rangeBefore(changed, { from, to, limit }), revision };
    const items = this.#sorted.range(from, to, limit || undefined);
    const last = items.at(-1);
    const remaining = limit > 0 && last !== undefined ? this.#sorted.count(`${last.key}\0`, to) : 0;
    return { items, remaining, revision };
  }

  /** The events of one revision that is not compacted. */
  eventsOf(revision: number): readonly StoreEvent[] {
    return this.#history.of(revision);
  }

  /** All versions as of now, in the order of their keys. */
  entries(): KeyValue[] {
    return this.#sorted.range('', undefined);
  }

  watch(request: WatchRequest): StoreWatch {
    const after = request.afterRevision;
    if (after === undefined) return this.#hub.add({ ...request, afterRevision: this.#revision }, []);
    if (after < this.#compactedRevision) throw new StoreCompactedError(after, this.#compactedRevision);
    return this.#hub.add(request, this.#history.after(after, request.prefix));
  }

  /** Shows the events of one or more whole revisions and tells the watches. */
  apply(events: readonly StoreEvent[]): void {
    for (const event of events) this.record(event);
    if (events.length > 0) this.#hub.publish(events);
  }

  /** Shows one event without telling the watches: how an engine loads what it finds. */
  record(event: StoreEvent): void {
    const { key, current } = event;
    if (current === undefined) {
      if (this.#values.delete(key)) this.#sorted.remove(key);
    } else {
      this.#values.set(key, current);
      this.#sorted.put(current);
    }
    this.#history.append(event);
    this.#revision = event.revision;
  }

  /** The revision to compact to when all history is made of more than `values` values, for nine tenths of that to stay; else 0. */
  excess(values: number): number {
    return this.#history.excess(values) > 0 ? this.#history.excess(values * 0.9) : 0;
  }

  /** Forgets history up to `revision`; returns the events that are gone. */
  compact(revision: number): readonly StoreEvent[] {
    if (revision > this.#revision) throw new StoreFutureRevisionError(revision, this.#revision);
    if (revision <= this.#compactedRevision) return [];
    this.#compactedRevision = revision;
    return this.#history.forget(revision);
  }

  /** Replaces everything: state `entries`, revision `revision`, no history; ends all watches. */
  reset(revision: number, entries: Iterable<KeyValue>): void {
    const before = this.#revision;
    this.#values = new Map();
    this.#sorted = new SortedEntries();
    this.#history = new History();
    for (const entry of entries) {
      this.#values.set(entry.key, entry);
      this.#sorted.put(entry);
    }
    this.#revision = revision;
    this.#compactedRevision = revision;
    this.#hub.end(new StoreCompactedError(before, revision));
  }

  /** Moves the revision forward without an event (etcd: others wrote outside of our prefix). */
  advance(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
  }

  endWatches(cause?: TowtankError): void {
    this.#hub.end(cause);
  }

  #checkRevision(revision: number): void {
    if (revision < this.#compactedRevision) throw new StoreCompactedError(revision, this.#compactedRevision);
    if (revision > this.#revision) throw new StoreFutureRevisionError(revision, this.#revision);
  }

  // The state before `changed`, which are all events under the prefix after the revision asked for.
  #rangeBefore(
    changed: readonly StoreEvent[],
    bounds: { readonly from: string; readonly to: string | undefined; readonly limit: number },
  ): { items: KeyValue[]; remaining: number } {
    const { from, to, limit } = bounds;
    const before = new Map<string, KeyValue | undefined>();
    for (const event of changed) if (event.key >= from && !before.has(event.key)) before.set(event.key, event.previous);
    const restored = [...before.values()]
      .filter((value) => value !== undefined)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const items: KeyValue[] = [];
    let next = 0;
    const full = (): boolean => limit > 0 && items.length === limit;
    const take = (until: string | undefined): boolean => {
      while (next < restored.length && !full() && (until === undefined || restored[next]!.key < until))
        items.push(restored[next++]!);
      return !full();
    };
    for (const entry of this.#sorted.range(from, to, limit > 0 ? limit + before.size : undefined)) {
      if (!take(entry.key)) break;
      if (!before.has(entry.key)) items.push(entry);
    }
    take(undefined);
    if (limit === 0 || items.length < limit) return { items, remaining: 0 };
    return { items, remaining: this.#countBefore(before, `${items.at(-1)!.key}\0`, to) };
  }

  #countBefore(before: ReadonlyMap<string, KeyValue | undefined>, from: string, to: string | undefined): number {
    let count = this.#sorted.count(from, to);
    for (const [key, value] of before) {
      if (key < from) continue;
      if (this.#values.has(key)) count--;
      if (value !== undefined) count++;
    }
    return count;
  }
}
