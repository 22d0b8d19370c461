import { EXTENSION_HEADER_BYTES, STANDARD_TARGET_BYTES } from './entry-layout.ts';
import { newDestination, type Placed, type TableLayout } from './lay-out-table.ts';
import type { KeptEntries } from './piece.ts';
import type { TableContent } from './table-content.ts';

/**
 * Makes the entries of a laid-out table in the memory that holds those of the old one and has room for either. False when a
 * jump would lead to a chain that does not exist; the memory is then of no use.
 */
export function moveEntries(entries: Buffer, table: TableLayout, { jumps }: TableContent): boolean {
  moveKept(entries, table.kept);
  for (const { piece, at } of table.fresh) piece.slab.copy(entries, at, piece.start, piece.end);
  return redirectKept(entries, table.kept, jumps) && directFresh(entries, table);
}

/**
 * Kept pieces stay in their order, so that one that moves towards the beginning can only cover what is left behind by those
 * before it, and the other way round: no second memory is needed.
 */
function moveKept(entries: Buffer, kept: readonly Placed<KeptEntries>[]): void {
  for (const { piece, at } of kept) {
    if (at < piece.from) entries.copyWithin(at, piece.from, piece.to);
  }
  for (let index = kept.length - 1; index >= 0; index--) {
    const { piece, at } = kept[index]!;
    if (at > piece.from) entries.copyWithin(at, piece.from, piece.to);
  }
}

function redirectKept(entries: Buffer, kept: readonly Placed<KeptEntries>[], jumps: Uint32Array): boolean {
  const words = new Int32Array(entries.buffer, entries.byteOffset, entries.length >> 2);
  let index = 0;
  for (const jump of jumps) {
    while (kept[index]!.piece.to <= jump) index++;
    const { piece, at } = kept[index]!;
    if (jump < piece.from) continue;
    const shift = at - piece.from;
    const word = (jump + shift) >> 2;
    const destination = words[word]!;
    const moved = isNextEntry(destination, jump) ? destination + shift : newDestination(kept, destination);
    if (moved === undefined) return false;
    words[word] = moved;
  }
  return true;
}

// A rule without a target goes on behind itself: its verdict is the last word but one of the entry.
const isNextEntry = (destination: number, jump: number): boolean =>
  destination === jump + STANDARD_TARGET_BYTES - EXTENSION_HEADER_BYTES;

function directFresh(entries: Buffer, { fresh, destinations }: TableLayout): boolean {
  for (const { piece, at } of fresh) {
    const shift = at - piece.start;
    for (const { at: jump, chain } of piece.jumps) {
      const destination =
        chain === undefined ? jump + shift + STANDARD_TARGET_BYTES - EXTENSION_HEADER_BYTES : destinations.get(chain);
      if (destination === undefined) return false;
      entries.writeInt32LE(destination, jump + shift);
    }
  }
  return true;
}
