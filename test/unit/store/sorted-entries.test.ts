import { describe, expect, it } from 'vitest';
import { prefixEnd, SortedEntries } from '../../../src/store/sorted-entries.ts';
import type { KeyValue } from '../../../src/store/store.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const entry = (key: string, modRevision = 1): KeyValue => ({
  key,
  value: Buffer.alloc(0),
  createRevision: 1,
  modRevision,
  lease: undefined,
  decoded: undefined,
});

describe('SortedEntries', () => {
  it('agrees with a sorted array under random changes, removals, ranges and counts', () => {
    const random = seededRandom(7);
    const entries = new SortedEntries();
    const model = new Map<string, KeyValue>();
    const some = (): string => `/${Math.floor(random() * 3000)}`;
    for (let step = 0; step < 12_000; step++) {
      const key = some();
      // Grows first and shrinks later, so that blocks are both split and emptied.
      if (random() < (step < 6000 ? 0.9 : 0.1)) {
        const put = entry(key, step);
        model.set(key, put);
        entries.put(put);
      } else if (model.delete(key)) entries.remove(key);
      if (step % 200 !== 0) continue;
      const [from, to] = [some(), some()].sort() as [string, string];
      const expected = [...model.values()]
        .filter((one) => one.key >= from && one.key < to)
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      expect(entries.range(from, to)).toEqual(expected);
      const limit = 1 + Math.floor(random() * 700);
      expect(entries.range(from, to, limit)).toEqual(expected.slice(0, limit));
      expect(entries.count(from, to)).toBe(expected.length);
      expect(entries.count('', undefined)).toBe(model.size);
    }
    for (const key of model.keys()) entries.remove(key);
    expect(entries.range('', undefined)).toEqual([]);
    expect(entries.count('', undefined)).toBe(0);
  });

  it('puts an entry in the place of the one with its key', () => {
    const entries = new SortedEntries();
    for (const key of ['c', 'a', 'b']) entries.put(entry(key));
    const newer = entry('b', 2);
    entries.put(newer);
    expect(entries.range('', undefined).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    expect(entries.range('b', 'c')).toEqual([newer]);
  });

  it('gives out ranges that later changes leave alone', () => {
    const entries = new SortedEntries();
    for (const key of ['a', 'b']) entries.put(entry(key));
    const range = entries.range('', undefined);
    entries.put(entry('a', 2));
    entries.remove('b');
    expect(range.map(({ key, modRevision }) => `${key} ${modRevision}`)).toEqual(['a 1', 'b 1']);
  });
});

describe('prefixEnd', () => {
  it('is the first string after all that start with the prefix', () => {
    expect(prefixEnd('/pods/')).toBe('/pods0');
    expect(prefixEnd('a\uffff')).toBe('b');
    expect(prefixEnd('\uffff')).toBeUndefined();
    expect(prefixEnd('')).toBeUndefined();
  });
});
