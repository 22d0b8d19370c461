import { describe, expect, it } from 'vitest';
import { prefixEnd, SortedKeys } from '../../../src/store/sorted-keys.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

const scanned = (keys: SortedKeys, from: string, to?: string): string[] => {
  const found: string[] = [];
  keys.scan(from, to, (key) => found.push(key) > 0);
  return found;
};

describe('SortedKeys', () => {
  it('agrees with a sorted array under random additions, removals, scans and counts', () => {
    const random = seededRandom(7);
    const keys = new SortedKeys();
    const model = new Set<string>();
    const some = (): string => `/${Math.floor(random() * 3000)}`;
    for (let step = 0; step < 12_000; step++) {
      const key = some();
      // Grows first and shrinks later, so that blocks are both split and emptied.
      if (!model.has(key) && random() < (step < 6000 ? 0.9 : 0.1)) {
        model.add(key);
        keys.add(key);
      } else if (model.delete(key)) keys.remove(key);
      if (step % 200 !== 0) continue;
      const [from, to] = [some(), some()].sort() as [string, string];
      const expected = [...model].filter((entry) => entry >= from && entry < to).sort();
      expect(scanned(keys, from, to)).toEqual(expected);
      expect(keys.count(from, to)).toBe(expected.length);
      expect(keys.count('', undefined)).toBe(model.size);
    }
    for (const key of model) keys.remove(key);
    expect(scanned(keys, '')).toEqual([]);
    expect(keys.count('', undefined)).toBe(0);
  });

  it('stops a scan when told to', () => {
    const keys = new SortedKeys();
    for (const key of ['c', 'a', 'b']) keys.add(key);
    const found: string[] = [];
    keys.scan('', undefined, (key) => found.push(key) < 2);
    expect(found).toEqual(['a', 'b']);
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
