import { describe, expect, it } from 'vitest';
import { findAnomaly, type HistoryEntry } from '../../helpers/check-history.ts';

const write = (start: number, end: number, revision: number, replaced: number): HistoryEntry => ({
  key: 'k',
  type: 'write',
  start,
  end,
  revision,
  replaced,
});
const read = (start: number, end: number, revision: number): HistoryEntry => ({
  key: 'k',
  type: 'read',
  start,
  end,
  revision,
});

describe('the judge of histories', () => {
  it.each([
    ['one after the other', [write(1, 2, 5, 0), read(3, 4, 5), write(5, 6, 7, 5), read(7, 8, 7)]],
    ['a read beside a write that shows either', [write(1, 2, 5, 0), write(3, 8, 7, 5), read(4, 5, 5), read(6, 7, 7)]],
    ['two writes side by side', [write(1, 9, 7, 5), write(1, 9, 5, 0), read(10, 11, 7)]],
  ])('accepts %s', (_, history) => {
    expect(findAnomaly(history)).toBeUndefined();
  });

  it.each([
    ['a lost write', [write(1, 2, 5, 0), write(3, 4, 7, 0)], 'which was not the version before it'],
    ['a stale read', [write(1, 2, 5, 0), write(3, 4, 7, 5), read(5, 6, 5)], 'had ended'],
    ['a read that goes back', [write(1, 2, 5, 0), write(3, 9, 7, 5), read(4, 5, 7), read(6, 7, 5)], 'had ended'],
    ['a read of what is still to come', [read(1, 2, 5), write(3, 4, 5, 0)], 'nobody had begun to write'],
    ['a read of what nobody wrote', [write(1, 2, 5, 0), read(3, 4, 6)], 'nobody had begun to write'],
  ])('finds %s', (_, history, problem) => {
    expect(findAnomaly(history)).toContain(problem);
  });
});
