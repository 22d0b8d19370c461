// Each range holds 2^28 numbers, of which 32 bits have 16. The kernel walks a whole interval map at each commit that changes
// it, and the list of maps at each look-up by name: 8 ranges are where both stay cheap at 5,000 and at 10,000 Services.
const rangeWidth = 2 ** 28;
const rangesPerMap = 8;

/**
 * How many numbers of a range are drawn from: divisible by everything up to 22, so that each of N endpoints gets exactly
 * the same share for small N and one that differs by less than N / 232,792,560 of itself otherwise.
 */
export const DRAWN_NUMBERS = 232_792_560;

/** Where the endpoints of one chain lie. */
export interface EndpointRange {
  readonly map: number;
  readonly offset: number;
}

/** The place of the index-th range. */
export function rangeAt(index: number): EndpointRange {
  return { map: Math.floor(index / rangesPerMap), offset: (index % rangesPerMap) * rangeWidth };
}

/** First and last number of the i-th of `count` equal parts of a range that `random` draws from. */
export function shareOf(range: EndpointRange, i: number, count: number): string {
  const first = range.offset + Math.floor((i * DRAWN_NUMBERS) / count);
  const last = range.offset + Math.floor(((i + 1) * DRAWN_NUMBERS) / count) - 1;
  return `${first}-${last}`;
}

/** Gives out ranges by chain name: the lowest free one, kept until it is released. */
export class EndpointRanges {
  readonly #indexes = new Map<string, number>();
  readonly #free: number[] = [];

  /** The range of a chain, allocated on first use. */
  rangeOf(chain: string): EndpointRange {
    let index = this.#indexes.get(chain);
    if (index === undefined) {
      index = this.#free.pop() ?? this.#indexes.size;
      this.#indexes.set(chain, index);
    }
    return rangeAt(index);
  }

  /** Frees the range of a chain; a chain without range is no error. */
  release(chain: string): void {
    const index = this.#indexes.get(chain);
    if (index === undefined) return;
    this.#indexes.delete(chain);
    this.#free.push(index);
  }

  /** How many maps the ranges need. */
  get maps(): number {
    return Math.ceil((this.#indexes.size + this.#free.length) / rangesPerMap);
  }
}
