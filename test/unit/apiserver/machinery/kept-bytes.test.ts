import { describe, expect, test } from 'vitest';
import { keptBytes } from '../../../../src/apiserver/machinery/kept-bytes.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

describe('bytes that are kept', () => {
  test('each text comes back as it was, whatever was kept after it', () => {
    const random = seededRandom(5);
    const texts = Array.from({ length: 400 }, (_, i) => `${i}äß${'語x'.repeat(Math.floor(random() ** 4 * 4000))}`);
    const kept = texts.map(keptBytes);
    expect(kept.map(String)).toEqual(texts);
  });

  test('small ones share memory, and with nothing else', () => {
    const kept = Array.from({ length: 100 }, (_, i) => {
      Buffer.from(`an answer ${i}`);
      return keptBytes(JSON.stringify({ name: `kept-${i}`, text: 'x'.repeat(500) }));
    });
    const shared = new Set(kept.map(({ buffer }) => buffer));
    const bytes = kept.reduce((sum, { length }) => sum + length, 0);
    expect([...shared].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(bytes + 3 * 8192);
  });

  test('a large one has memory of its own, no larger than it is', () => {
    const text = 'x'.repeat(10_000);
    expect(keptBytes(text).buffer.byteLength).toBe(text.length);
  });
});
