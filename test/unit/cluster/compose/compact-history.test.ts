import { describe, expect, it } from 'vitest';
import { compactHistory } from '../../../../src/cluster/compose/compact-history.ts';
import { MemoryStore } from '../../../../src/store/memory-store.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const MINUTES = 60_000;

describe('the compaction of a cluster', () => {
  it('keeps the last five to ten minutes, and ends with the cluster', async () => {
    const clock = new SteppedClock();
    await using store = new MemoryStore({ clock });
    const put = () => store.commit([{ key: '/a', value: Buffer.from('x') }]);
    const failures: unknown[] = [];
    const compaction = compactHistory(store, clock, (error) => failures.push(error));
    const { revision: first } = await put();
    await clock.step(5 * MINUTES);
    expect(store.compactedRevision).toBeLessThan(first);
    const { revision: second } = await put();
    await clock.step(5 * MINUTES);
    expect(store.compactedRevision).toBe(first);
    compaction[Symbol.dispose]();
    await clock.step(20 * MINUTES);
    expect(store.compactedRevision).toBe(first);
    expect(second).toBe(first + 1);
    expect([failures, clock.pending]).toEqual([[], 0]);
  });

  it('tells of a failure and tries again', async () => {
    const clock = new SteppedClock();
    const asked: number[] = [];
    const store = {
      revision: 7,
      compact: (revision: number) => {
        asked.push(revision);
        return Promise.reject(new Error('the disk is full'));
      },
    } as unknown as MemoryStore;
    const failures: unknown[] = [];
    using _compaction = compactHistory(store, clock, (error) => failures.push(error));
    await clock.step(10 * MINUTES);
    expect(asked).toEqual([7, 7]);
    expect(failures.map(String)).toEqual(['Error: the disk is full', 'Error: the disk is full']);
  });
});
