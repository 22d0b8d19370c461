import { type EntryLayout, EXTENSION_HEADER_BYTES, EXTENSION_NAME_AT, EXTENSION_REVISION_AT } from './entry-layout.ts';
import type { KeptEntries } from './piece.ts';
import type { FreshRules } from './rule-writer.ts';

export interface RuleQuestion {
  readonly kept: readonly KeptEntries[];
  readonly fresh: FreshRules;
  /** Where the rule jumps to in the table as it is. */
  readonly jumpTo: number | undefined;
  readonly layout: EntryLayout;
}

/** Where a rule is: in which piece, at which byte of the table, and which of the piece's entries it is. */
export interface FoundRule {
  readonly piece: KeptEntries;
  readonly at: number;
  readonly index: number;
}

/** Finds the first entry that is the same rule; undefined when there is none, also when the kernel changed its data. */
export function findRule(entries: Buffer, { kept, fresh, jumpTo, layout }: RuleQuestion): FoundRule | undefined {
  const { slab, start, end } = fresh;
  const wanted = Buffer.from(slab.subarray(start, end));
  if (jumpTo !== undefined) wanted.writeInt32LE(jumpTo, fresh.jumps[0]!.at - start);
  const isFallThrough = fresh.jumps.length > 0 && jumpTo === undefined;
  for (const piece of kept) {
    for (let [at, index] = [piece.from, 0]; at < piece.to; index++) {
      const next = at + entries.readUInt16LE(at + layout.targetOffsetAt + 2);
      if (next - at === wanted.length) {
        if (isFallThrough) wanted.writeInt32LE(next, fresh.jumps[0]!.at - start);
        if (isSame(entries, { at, wanted, layout })) return { piece, at, index };
      }
      at = next;
    }
  }
  return undefined;
}

function isSame(
  entries: Buffer,
  { at, wanted, layout }: { readonly at: number; readonly wanted: Buffer; readonly layout: EntryLayout },
): boolean {
  const { conditionBytes, headerBytes, targetOffsetAt } = layout;
  if (wanted.compare(entries, at, at + conditionBytes, 0, conditionBytes) !== 0) return false;
  if (entries.readUInt16LE(at + targetOffsetAt) !== wanted.readUInt16LE(targetOffsetAt)) return false;
  for (let part = headerBytes; part < wanted.length; ) {
    const size = wanted.readUInt16LE(part);
    if (
      entries.readUInt16LE(at + part) !== size ||
      !isSameExtension(entries, at + part, wanted.subarray(part, part + size))
    )
      return false;
    part += size;
  }
  return true;
}

// What stands behind the end of a name in the kernel's answer means nothing.
function isSameExtension(entries: Buffer, at: number, wanted: Buffer): boolean {
  const nameEnd = wanted.indexOf(0, EXTENSION_NAME_AT) + 1;
  return (
    wanted.compare(entries, at + EXTENSION_NAME_AT, at + nameEnd, EXTENSION_NAME_AT, nameEnd) === 0 &&
    entries[at + EXTENSION_REVISION_AT] === wanted[EXTENSION_REVISION_AT] &&
    wanted.compare(entries, at + EXTENSION_HEADER_BYTES, at + wanted.length, EXTENSION_HEADER_BYTES, wanted.length) ===
      0
  );
}
