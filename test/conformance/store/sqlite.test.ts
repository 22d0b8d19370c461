import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';
import { describeStore } from './store-suite.ts';

for (const isStarting of [false, true]) {
  describeStore(`sqlite${isStarting ? ' of a cluster that is starting' : ''}`, async () => {
    const clock = new SteppedClock();
    const folder = mkdtempSync(join(tmpdir(), 'towtank-store-'));
    return {
      open: () => SqliteStore.open({ path: join(folder, 'store.db'), clock, isStarting }),
      pass: (seconds) => clock.step(seconds * 1000),
      close: async () => rmSync(folder, { recursive: true }),
    };
  });
}

describe('the history of the sqlite store', () => {
  test('holds little more values than it may, in memory and in the file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'towtank-store-'));
    const path = join(folder, 'store.db');
    const options = { path, clock: new SteppedClock(), historyValues: 1000 };
    const decoded = Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`f${index}`, index]));
    let last = 0;
    {
      await using store = await SqliteStore.open(options);
      for (let i = 0; i < 200; i++)
        last = (await store.commit([{ key: `/${i % 20}`, value: Buffer.from(`x${i}`), decoded }])).revision;
      // What is compacted is decided as writes come, and done beside them.
      await expect
        .poll(async () => {
          last = (await store.commit([{ key: '/again', value: Buffer.from('x'), decoded }])).revision;
          return last - store.compactedRevision;
        })
        .toBeLessThanOrEqual(12);
      const watch = { prefix: '/', afterRevision: 2, onEvents: () => {}, onEnd: () => {} };
      expect(() => store.watch(watch)).toThrow(expect.objectContaining({ code: 'ERR_STORE_COMPACTED' }));
    }
    await using store = await SqliteStore.open(options);
    expect(store.revision).toBe(last);
    expect(store.revision - store.compactedRevision).toBeLessThan(30);
    expect(store.range('/').items.map(({ key, value }) => `${key} ${value}`)).toContain('/7 x187');
    expect(store.count('/')).toBe(21);
    rmSync(folder, { recursive: true });
  });
});
