import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dealHand, hashFlow, requiredEntropyBits } from '../../../../src/apiserver/flowcontrol/shuffle-sharding.ts';

test('a hand has as many different cards of the deck as it should, and always the same for a flow', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 256 }), fc.integer({ min: 1, max: 7 }), (flow, deck, wanted) => {
      const size = Math.min(deck, wanted);
      const hand = dealHand(hashFlow('schema', flow), deck, size);
      expect(new Set(hand).size).toBe(size);
      expect(hand.every((card) => card >= 0 && card < deck)).toBe(true);
      expect(dealHand(hashFlow('schema', flow), deck, size)).toEqual(hand);
    }),
  );
});

test('the cards are those that upstream deals for a hash', () => {
  // Each digit is the place of a card among those that are left.
  const hash = 5n + 128n * (5n + 127n * (5n + 126n * 5n));
  expect(dealHand(hash, 128, 4)).toEqual([5, 6, 7, 8]);
  expect(dealHand(0n, 16, 4)).toEqual([0, 1, 2, 3]);
});

test('flows spread over all queues', () => {
  const counts = new Array<number>(64).fill(0);
  for (let flow = 0; flow < 2000; flow++) for (const card of dealHand(hashFlow('s', `${flow}`), 64, 6)) counts[card]!++;
  const expected = (2000 * 6) / 64;
  expect(Math.min(...counts)).toBeGreaterThan(expected * 0.7);
  expect(Math.max(...counts)).toBeLessThan(expected * 1.3);
});

test('the bits of a hash that a hand needs are those that validation counts', () => {
  expect(requiredEntropyBits(128, 6)).toBe(42);
  expect(requiredEntropyBits(1000, 9)).toBe(90);
});
