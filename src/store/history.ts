import type { StoreEvent } from './store.ts';

/** The events since the last compaction, in the order of their revisions. */
export class History {
  #events: StoreEvent[] = [];
  // Events before this index are forgotten; the array is cut only now and then, so that forgetting stays cheap.
  #start = 0;

  get size(): number {
    return this.#events.length - this.#start;
  }

  append(event: StoreEvent): void {
    this.#events.push(event);
  }

  /** Events after `revision` under `prefix`. */
  after(revision: number, prefix: string): StoreEvent[] {
    const found: StoreEvent[] = [];
    for (let index = this.#firstAfter(revision); index < this.#events.length; index++) {
      const event = this.#events[index]!;
      if (event.key.startsWith(prefix)) found.push(event);
    }
    return found;
  }

  /** Drops the events up to and including `revision` and returns them. */
  forget(revision: number): readonly StoreEvent[] {
    const end = this.#firstAfter(revision);
    const forgotten = this.#events.slice(this.#start, end);
    if (end * 2 > this.#events.length) {
      this.#events = this.#events.slice(end);
      this.#start = 0;
    } else {
      this.#events.fill(undefined as unknown as StoreEvent, this.#start, end);
      this.#start = end;
    }
    return forgotten;
  }

  #firstAfter(revision: number): number {
    let low = this.#start;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
