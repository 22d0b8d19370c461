import type { StoreEvent } from './store.ts';

/** The events since the last compaction, in the order of their revisions. */
export class History {
  #events: StoreEvent[] = [];
  #weights: number[] = [];
  // Events before this index are forgotten; the arrays are cut only now and then, so that forgetting stays cheap.
  #start = 0;
  #weight = 0;

  get size(): number {
    return this.#events.length - this.#start;
  }

  append(event: StoreEvent): void {
    const weight = weightOf(event);
    this.#events.push(event);
    this.#weights.push(weight);
    this.#weight += weight;
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

  /** The revision to forget for the rest to weigh at most `weight` values, 0 when it weighs no more. */
  excess(weight: number): number {
    let rest = this.#weight;
    let index = this.#start;
    while (rest > weight) rest -= this.#weights[index++]!;
    return index === this.#start ? 0 : this.#events[index - 1]!.revision;
  }

  /** Events of one revision. */
  of(revision: number): readonly StoreEvent[] {
    const first = this.#firstAfter(revision - 1);
    let end = first;
    while (this.#events[end]?.revision === revision) end++;
    return this.#events.slice(first, end);
  }

  /** Drops the events up to and including `revision` and returns them. */
  forget(revision: number): readonly StoreEvent[] {
    const end = this.#firstAfter(revision);
    const forgotten = this.#events.slice(this.#start, end);
    for (let index = this.#start; index < end; index++) this.#weight -= this.#weights[index]!;
    if (end * 2 > this.#events.length) {
      this.#events = this.#events.slice(end);
      this.#weights = this.#weights.slice(end);
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

// Of bytes that nobody has decoded, a value takes some sixteen.
function weightOf({ current }: StoreEvent): number {
  if (current === undefined) return 1;
  return current.decoded === undefined ? 1 + current.value.length / 16 : countValues(current.decoded);
}

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  // A loop over the keys of objects of many shapes takes several times as long.
  for (const inner of Object.values(value)) count += countValues(inner);
  return count;
}
