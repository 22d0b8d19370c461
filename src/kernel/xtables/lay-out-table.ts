import { HOOK_CHAINS } from './entry-layout.ts';
import { isKept, type KeptEntries, type Piece } from './piece.ts';
import type { FreshRules } from './rule-writer.ts';
import type { TableContent, TableInfo } from './table-content.ts';
import type { TableEdit } from './table-edit.ts';

/** A piece and where it will stand, in bytes from the first entry. */
export interface Placed<P extends Piece> {
  readonly piece: P;
  readonly at: number;
}

/** Entries that keep their counters: `count` of them, numbered from `from` before and from `to` now. */
export interface CounterRun {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** A table as it is to be; offsets in bytes from the first entry. */
export interface TableLayout {
  /** In the order in which they stood and will stand. */
  readonly kept: readonly Placed<KeptEntries>[];
  readonly fresh: readonly Placed<FreshRules>[];
  readonly counters: readonly CounterRun[];
  readonly size: number;
  readonly entryCount: number;
  /** By the number of the hook. */
  readonly hookEntries: readonly number[];
  /** Where the policies of the hooks are. */
  readonly underflows: readonly number[];
  /** Where the first rule is of each chain that fresh rules lead to. */
  readonly destinations: ReadonlyMap<string, number>;
}

// What is written for a hook that a table does not have.
const NO_HOOK = 0xffff_ffff;

/** Decides where the pieces of an edited table stand. */
export function layOutTable(edit: TableEdit, content: TableContent, info: TableInfo): TableLayout {
  const pieces = new PlacedPieces();
  const hookEntries = HOOK_CHAINS.map(() => NO_HOOK);
  const underflows = HOOK_CHAINS.map(() => NO_HOOK);
  const destinations = new Map<string, number>();
  for (const part of edit.parts()) {
    if ('from' in part) {
      pieces.add(part);
      continue;
    }
    const { name, hook, head, body, foot } = part;
    if (head !== undefined) pieces.add(head);
    destinations.set(name, pieces.size);
    if (hook !== undefined) hookEntries[hook] = pieces.size;
    for (const piece of body) pieces.add(piece);
    if (hook !== undefined) underflows[hook] = pieces.size;
    pieces.add(foot);
  }
  pieces.add({ from: content.end, to: info.size, firstEntry: info.entryCount - 1, count: 1 });
  const placed = pieces.placed();
  addDestinations(destinations, placed, content);
  return { ...placed, hookEntries, underflows, destinations };
}

// Of the chains that go on as they are.
function addDestinations(
  destinations: Map<string, number>,
  { kept, fresh }: Pick<TableLayout, 'kept' | 'fresh'>,
  content: TableContent,
): void {
  for (const { chain } of fresh.flatMap(({ piece }) => piece.jumps)) {
    if (chain === undefined || destinations.has(chain)) continue;
    const number = content.find(chain);
    const destination = number === undefined ? undefined : newDestination(kept, content.chain(number).rules);
    if (destination !== undefined) destinations.set(chain, destination);
  }
}

/** Where a chain's first rule will be; undefined when the entry with the chain's name, which stands before it, is gone. */
export function newDestination(kept: readonly Placed<KeptEntries>[], rules: number): number | undefined {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (kept[middle]!.piece.to < rules) low = middle + 1;
    else high = middle;
  }
  const found = kept[low];
  return found !== undefined && found.piece.from < rules ? rules + found.at - found.piece.from : undefined;
}

/** Puts pieces behind each other; kept ones that stood behind each other become one. */
class PlacedPieces {
  readonly #kept: { piece: KeptEntries; at: number }[] = [];
  readonly #fresh: Placed<FreshRules>[] = [];
  readonly #counters: { from: number; to: number; count: number }[] = [];
  #entryCount = 0;
  size = 0;

  add(piece: Piece): void {
    if (isKept(piece)) this.#addKept(piece);
    else {
      this.#fresh.push({ piece, at: this.size });
      this.size += piece.end - piece.start;
    }
    this.#entryCount += piece.count;
  }

  placed(): Pick<TableLayout, 'kept' | 'fresh' | 'counters' | 'size' | 'entryCount'> {
    return {
      ...{ kept: this.#kept, fresh: this.#fresh, counters: this.#counters },
      ...{ size: this.size, entryCount: this.#entryCount },
    };
  }

  #addKept({ from, to, firstEntry, count }: KeptEntries): void {
    const last = this.#kept.at(-1);
    if (last?.piece.to === from && last.at + (from - last.piece.from) === this.size) {
      last.piece.to = to;
      this.#counters.at(-1)!.count += count;
    } else {
      this.#kept.push({ piece: { from, to, firstEntry, count }, at: this.size });
      this.#counters.push({ from: firstEntry, to: this.#entryCount, count });
    }
    this.size += to - from;
  }
}
