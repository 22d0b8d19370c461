import type { FreshRules } from './rule-writer.ts';

/** Entries of the table as it was, that go on as they are but for where their jumps lead. */
export interface KeptEntries {
  readonly from: number;
  to: number;
  readonly firstEntry: number;
  count: number;
}

export type Piece = KeptEntries | FreshRules;

/** Whether a piece is of the table as it was. */
export const isKept = (piece: Piece): piece is KeptEntries => 'from' in piece;
