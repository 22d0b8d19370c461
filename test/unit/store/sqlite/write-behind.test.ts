import { describe, expect, it } from 'vitest';
import { WriteBehind } from '../../../../src/store/sqlite/write-behind.ts';
import type { StoreEvent } from '../../../../src/store/store.ts';

const event = (revision: number): StoreEvent => ({
  key: `/k/${revision}`,
  revision,
  current: undefined,
  previous: undefined,
  shared: undefined,
});

describe('writing behind', () => {
  it('persists what gathers while the disk is busy together and in order', async () => {
    const batches: number[][] = [];
    const waiting: (() => void)[] = [];
    const behind = new WriteBehind((events) => {
      batches.push(events.map(({ revision }) => revision));
      return new Promise((resolve) => waiting.push(resolve));
    });
    for (const revision of [1, 2, 3]) behind.add([event(revision)]);
    expect(batches).toEqual([[1]]);
    let isFlushed = false;
    const flushed = behind.flushed().then(() => {
      isFlushed = true;
    });
    waiting.shift()!();
    await Promise.resolve();
    await Promise.resolve();
    expect([batches, isFlushed]).toEqual([[[1], [2, 3]], false]);
    waiting.shift()!();
    await flushed;
  });

  it('tells what went wrong to whoever waits, and takes nothing more', async () => {
    const full = new Error('the disk is full');
    const behind = new WriteBehind(() => Promise.reject(full));
    behind.add([event(1)]);
    await expect(behind.flushed()).rejects.toBe(full);
    expect(() => behind.add([event(2)])).toThrow(full);
    await expect(behind.flushed()).rejects.toBe(full);
  });

  it('is flushed at once when there is nothing', async () => {
    await new WriteBehind(async () => {}).flushed();
  });
});
