import type { KeyValue } from './store.ts';

const BLOCK = 512;

/**
 * Entries by their keys in UTF-16 order, cut into blocks: a change and counting cost O(log n + n / 512), and a range is copied
 * block by block.
 */
export class SortedEntries {
  readonly #blocks: KeyValue[][] = [];

  /** Adds an entry, or puts it in the place of the one that has its key. */
  put(entry: KeyValue): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push([entry]);
      return;
    }
    const { key } = entry;
    const index = Math.max(0, this.#blockAfter(key) - 1);
    const block = this.#blocks[index]!;
    const at = lowerBound(block, key);
    if (block[at]?.key === key) {
      block[at] = entry;
      return;
    }
    block.splice(at, 0, entry);
    if (block.length > BLOCK) this.#blocks.splice(index + 1, 0, block.splice(BLOCK >> 1));
  }

  /** Removes the entry of a key that is there. */
  remove(key: string): void {
    const index = this.#blockAfter(key) - 1;
    const block = this.#blocks[index]!;
    block.splice(lowerBound(block, key), 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** Number of entries whose key is `from` or behind it and before `to`; undefined for `to` means no end. */
  count(from: string, to: string | undefined): number {
    return this.#rank(to) - this.#rank(from);
  }

  /** Those entries in order, the first `limit` of them. */
  range(from: string, to: string | undefined, limit = Number.POSITIVE_INFINITY): KeyValue[] {
    const first = Math.max(0, this.#blockAfter(from) - 1);
    const last = to === undefined ? this.#blocks.length - 1 : this.#blockAfter(to) - 1;
    const parts: KeyValue[][] = [];
    let left = limit;
    for (let index = first; index <= last && left > 0; index++) {
      const block = this.#blocks[index]!;
      const start = index === first ? lowerBound(block, from) : 0;
      const end = index === last && to !== undefined ? lowerBound(block, to) : block.length;
      const part = block.slice(start, Math.min(end, start + left));
      parts.push(part);
      left -= part.length;
    }
    return ([] as KeyValue[]).concat(...parts);
  }

  // Index of the first block whose first key is greater than `key`.
  #blockAfter(key: string): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#blocks[middle]![0]!.key <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Number of entries before `key`; undefined counts all.
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

function lowerBound(block: readonly KeyValue[], key: string): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (block[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
