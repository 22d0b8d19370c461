import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitList } from '../../../src/dns/split-list.ts';

const itemsOf = (text: string): unknown[] => [...splitList(Buffer.from(text))!.items].map((item) => JSON.parse(item));

describe('splitList', () => {
  it('gives each item of any list as its own text, however it is printed', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), fc.constantFrom(0, 1, 4), (items, other, indent) => {
        for (const list of [
          { other, kind: 'List', items },
          { items, kind: 'List', other },
        ]) {
          const text = JSON.stringify(list, undefined, indent);
          expect(itemsOf(text)).toEqual(JSON.parse(JSON.stringify(items)));
          expect(JSON.parse(splitList(Buffer.from(text))!.rest)).toEqual(
            JSON.parse(JSON.stringify({ ...list, items: [] })),
          );
        }
      }),
      { seed: 7 },
    );
  });

  it('finds the items of the list itself, not those of something in it or of a text', () => {
    const text = String.raw`{"metadata": {"items": [1]}, "note": "\"items\": [2", "items": [3, {"items": [4]}], "kind": "List"}`;
    expect(itemsOf(text)).toEqual([3, { items: [4] }]);
  });

  it.each(['', '{}', '{"kind":"Service"}', '{"items": {}}', '{"items": [1', '[1]', '"items": [1]'])(
    'leaves %j to others',
    (text) => {
      expect(splitList(Buffer.from(text))).toBeUndefined();
    },
  );
});
