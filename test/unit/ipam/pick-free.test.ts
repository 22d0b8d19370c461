import { expect, test } from 'vitest';
import { type Cursor, pickFree } from '../../../src/ipam/pick-free.ts';

test('a search with a cursor goes on behind the last find, and comes back to what was freed', () => {
  const taken = new Set<bigint>();
  const cursor: Cursor = { next: 0n };
  const pick = (): bigint | undefined => {
    const found = pickFree({ size: 8n, staticBand: 2n }, { isFree: (offset) => !taken.has(offset), cursor });
    if (found !== undefined) taken.add(found);
    return found;
  };
  expect([pick(), pick(), pick()]).toEqual([2n, 3n, 4n]);
  taken.delete(3n);
  expect([pick(), pick(), pick(), pick()]).toEqual([5n, 6n, 7n, 3n]);
  expect([pick(), pick(), pick()]).toEqual([0n, 1n, undefined]);
});

test('a search with a cursor does not ask for what it has given out', () => {
  let asked = 0;
  const cursor: Cursor = { next: 0n };
  const taken = new Set<bigint>();
  for (let i = 0; i < 1000; i++) {
    const isFree = (offset: bigint): boolean => {
      asked++;
      return !taken.has(offset);
    };
    taken.add(pickFree({ size: 2000n, staticBand: 0n }, { isFree, cursor })!);
  }
  expect(asked).toBe(1000);
});
