const BLOCK = 512;

/** A sorted set of strings in UTF-16 order, cut into blocks: insertion, removal and counting cost O(log n + n / 512). */
export class SortedKeys {
  readonly #blocks: string[][] = [];

  /** Adds a key that is not there yet. */
  add(key: string): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push([key]);
      return;
    }
    const index = Math.max(0, this.#blockAfter(key) - 1);
    const block = this.#blocks[index]!;
    block.splice(lowerBound(block, key), 0, key);
    if (block.length > BLOCK) this.#blocks.splice(index + 1, 0, block.splice(BLOCK >> 1));
  }

  /** Removes a key that is there. */
  remove(key: string): void {
    const index = this.#blockAfter(key) - 1;
    const block = this.#blocks[index]!;
    block.splice(lowerBound(block, key), 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** Number of keys k with `from` <= k < `to`; undefined for `to` means no end. */
  count(from: string, to: string | undefined): number {
    return (to === undefined ? this.#rank(undefined) : this.#rank(to)) - this.#rank(from);
  }

  /** Calls `visit` with each key k, `from` <= k < `to`, in order, until it returns false. */
  scan(from: string, to: string | undefined, visit: (key: string) => boolean): void {
    let index = Math.max(0, this.#blockAfter(from) - 1);
    let block = this.#blocks[index];
    let position = block === undefined ? 0 : lowerBound(block, from);
    while (block !== undefined) {
      for (; position < block.length; position++) {
        const key = block[position]!;
        if ((to !== undefined && key >= to) || !visit(key)) return;
      }
      block = this.#blocks[++index];
      position = 0;
    }
  }

  // Index of the first block whose first key is greater than `key`.
  #blockAfter(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#blocks[middle]![0]! <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Number of keys that sort before `key`; undefined counts all.
  #rank(key: string | undefined): number {
    const last = key === undefined ? this.#blocks.length : Math.max(0, this.#blockAfter(key) - 1);
    let rank = 0;
    for (let index = 0; index < last; index++) rank += this.#blocks[index]!.length;
    const block = this.#blocks[last];
    return key === undefined || block === undefined ? rank : rank + lowerBound(block, key);
  }
}

/** The first string that sorts after all that start with `prefix`; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  for (let end = prefix.length; end > 0; end--) {
    const code = prefix.charCodeAt(end - 1);
    if (code < 0xffff) return prefix.slice(0, end - 1) + String.fromCharCode(code + 1);
  }
  return undefined;
}

function lowerBound(block: readonly string[], key: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (block[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
