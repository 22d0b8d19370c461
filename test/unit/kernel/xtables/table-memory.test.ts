import { afterEach, describe, expect, it, vi } from 'vitest';
import { REPLACE_BYTES, type TableMemory, withTableMemory } from '../../../../src/kernel/xtables/table-memory.ts';

describe('the memory to change a table in', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is lent to one at a time, used again, and given back when nobody asked for it for a while', async () => {
    vi.useFakeTimers();
    const keep = async (memory: TableMemory): Promise<TableMemory> => memory;
    const first = await withTableMemory(async (memory) => {
      memory.reserve({ size: 100_000 });
      expect(await withTableMemory(keep)).not.toBe(memory);
      return memory;
    });
    expect(await withTableMemory(keep)).toBe(first);
    const { request } = first;
    vi.advanceTimersByTime(60_000);
    expect(request).toHaveLength(0);
    expect(await withTableMemory(keep)).not.toBe(first);
    vi.advanceTimersByTime(60_000);
  });

  it('keeps what is there when it has to grow', async () => {
    await withTableMemory(async (memory) => {
      memory.reserve({ size: 1000 });
      memory.entries(1000).fill(7);
      memory.reserve({ size: 1_000_000 }, 1000);
      expect(memory.request.length).toBeGreaterThanOrEqual(REPLACE_BYTES + 1_000_000);
      expect(memory.entries(1000).every((byte) => byte === 7)).toBe(true);
      expect(memory.entries(1_000_000)).toHaveLength(1_000_000);
    });
  });
});
