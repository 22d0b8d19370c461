import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import type { StoreEvent } from '../../../src/store/store.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const object = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index]));

describe('the history of the memory store', () => {
  test('holds no more values than it may, and lets later watches start anew', async () => {
    await using store = new MemoryStore({ clock: new SteppedClock(), historyValues: 1000 });
    const first = store.revision;
    for (let i = 0; i < 100; i++) await store.commit([{ key: '/a', value: Buffer.from('x'), decoded: object(99) }]);
    const watch = { prefix: '/', onEvents: () => {}, onEnd: () => {} };
    expect(() => store.watch({ ...watch, afterRevision: first })).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_COMPACTED' }),
    );
    expect(store.revision - store.compactedRevision).toBe(10);
    store.watch({ ...watch, afterRevision: store.compactedRevision }).close();
  });

  test('forgets all of a transaction or nothing', async () => {
    await using store = new MemoryStore({ clock: new SteppedClock(), historyValues: 30 });
    const keys = ['/a', '/b', '/c'];
    for (let i = 0; i < 20; i++) {
      await store.commit(keys.map((key) => ({ key, value: Buffer.from('x'), decoded: object(4) })));
      const events: StoreEvent[] = [];
      const from = store.compactedRevision;
      const watch = store.watch({
        prefix: '/',
        afterRevision: from,
        onEvents: (some) => events.push(...some),
        onEnd: () => {},
      });
      await Promise.resolve();
      watch.close();
      expect(events).toHaveLength((store.revision - from) * keys.length);
    }
  });

  test('an engine in memory never asks for bytes', async () => {
    await using store = new MemoryStore({ clock: new SteppedClock(), historyValues: 1000 });
    let asked = 0;
    const operation = {
      key: '/a',
      decoded: object(3),
      get value(): Buffer {
        asked += 1;
        return Buffer.from('bytes');
      },
    };
    await store.commit([operation]);
    expect(asked).toBe(0);
    expect(store.get('/a')?.value.toString()).toBe('bytes');
    await store.commit([{ key: '/a', value: undefined }]);
    expect(store.get('/a')).toBeUndefined();
  });
});
