import type { TowtankError } from '../errors/towtank-error.ts';
import type { StoreEvent, StoreWatch, WatchRequest } from './store.ts';

interface Watcher {
  readonly request: WatchRequest;
  /** Events that wait for the first delivery; undefined once the watch is live. */
  pending: StoreEvent[] | undefined;
  closed: boolean;
}

/** Hands events to watches: in order for each of them, even when a watch writes to the store while it is called. */
export class WatchHub {
  // Watches of one prefix share one filtered array of events.
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  readonly #queue: (readonly StoreEvent[])[] = [];
  #publishing = false;

  get size(): number {
    let size = 0;
    for (const watchers of this.#byPrefix.values()) size += watchers.size;
    return size;
  }

  /** Adds a watch; `backlog` is delivered first, in a microtask. */
  add(request: WatchRequest, backlog: StoreEvent[]): StoreWatch {
    const watcher: Watcher = { request, pending: backlog, closed: false };
    const watchers = this.#byPrefix.get(request.prefix);
    if (watchers) watchers.add(watcher);
    else this.#byPrefix.set(request.prefix, new Set([watcher]));
    queueMicrotask(() => {
      const pending = watcher.pending ?? [];
      watcher.pending = undefined;
      if (pending.length > 0) deliver(watcher, pending);
    });
    const close = (): void => this.#remove(watcher);
    return { close, [Symbol.dispose]: close };
  }

  /** Delivers events of one or more whole revisions. */
  publish(events: readonly StoreEvent[]): void {
    this.#queue.push(events);
    if (this.#publishing) return;
    this.#publishing = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#deliverAll(next);
    } finally {
      this.#publishing = false;
    }
  }

  /** Ends all watches. */
  end(cause?: TowtankError): void {
    const watchers = [...this.#byPrefix.values()].flatMap((set) => [...set]);
    this.#byPrefix.clear();
    for (const watcher of watchers) {
      if (watcher.closed) continue;
      watcher.closed = true;
      watcher.request.onEnd(cause);
    }
  }

  #deliverAll(events: readonly StoreEvent[]): void {
    for (const [prefix, watchers] of this.#byPrefix) {
      const matching =
        events.length === 1 ? only(events, prefix) : events.filter((event) => event.key.startsWith(prefix));
      if (matching.length === 0) continue;
      for (const watcher of watchers) {
        if (watcher.pending) watcher.pending.push(...matching);
        else deliver(watcher, matching);
      }
    }
  }

  #remove(watcher: Watcher): void {
    watcher.closed = true;
    const watchers = this.#byPrefix.get(watcher.request.prefix);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byPrefix.delete(watcher.request.prefix);
  }
}

const none: readonly StoreEvent[] = [];

function only(events: readonly StoreEvent[], prefix: string): readonly StoreEvent[] {
  return events[0]!.key.startsWith(prefix) ? events : none;
}

function deliver(watcher: Watcher, events: readonly StoreEvent[]): void {
  if (watcher.closed) return;
  const after = watcher.request.afterRevision;
  // A watch from a revision to come skips what lies before it; for all others the first event already is after it.
  if (after === undefined || events[0]!.revision > after) watcher.request.onEvents(events);
  else {
    const later = events.filter((event) => event.revision > after);
    if (later.length > 0) watcher.request.onEvents(later);
  }
}
