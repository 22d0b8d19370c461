import { describe, expect, it } from 'vitest';
import { type CommitTarget, GroupCommit } from '../../../../src/store/sqlite/group-commit.ts';
import { StoreConflictError, type StoreEvent, StoreUnavailableError } from '../../../../src/store/store.ts';
import { StoreView } from '../../../../src/store/store-view.ts';

/** A disk that a test lets finish, or fail, when it likes. */
class ManualDisk implements CommitTarget {
  readonly view = new StoreView();
  readonly groups: (readonly StoreEvent[])[] = [];
  #answer: PromiseWithResolvers<void> | undefined;

  get revision(): number {
    return this.view.revision;
  }
  read(key: string) {
    return this.view.get(key);
  }
  check(): void {}
  persist(events: readonly StoreEvent[]): Promise<void> {
    this.groups.push(events);
    this.#answer = Promise.withResolvers();
    return this.#answer.promise;
  }
  show(events: readonly StoreEvent[]): void {
    this.view.apply(events);
  }
  async finish(error?: Error): Promise<void> {
    while (this.#answer === undefined) await Promise.resolve();
    if (error) this.#answer.reject(error);
    else this.#answer.resolve();
    this.#answer = undefined;
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

const put = (key: string, text: string, expect?: number) => [{ key, value: Buffer.from(text), expect }];
const keysOf = (events: readonly StoreEvent[]) => events.map(({ key }) => key);

describe('group commit', () => {
  it('takes what comes in one turn to the disk together, and what comes meanwhile in the next group', async () => {
    const disk = new ManualDisk();
    const group = new GroupCommit(disk);
    const first = [group.commit(put('/a', '1')), group.commit(put('/b', '1'))];
    await Promise.resolve();
    const second = [group.commit(put('/c', '1')), group.commit(put('/d', '1')), group.commit(put('/e', '1'))];
    await disk.finish();
    await Promise.all(first);
    await disk.finish();
    await Promise.all(second);
    expect(disk.groups.map(keysOf)).toEqual([
      ['/a', '/b'],
      ['/c', '/d', '/e'],
    ]);
  });

  it('shows nothing before it is durable', async () => {
    const disk = new ManualDisk();
    const group = new GroupCommit(disk);
    let acknowledged = false;
    const write = group.commit(put('/a', '1')).then(() => {
      acknowledged = true;
    });
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect([acknowledged, disk.view.get('/a')]).toEqual([false, undefined]);
    await disk.finish();
    await write;
    expect(disk.view.get('/a')?.value.toString()).toBe('1');
  });

  it('decides each transaction on those before it in the group', async () => {
    const disk = new ManualDisk();
    const group = new GroupCommit(disk);
    const created = group.commit(put('/a', '1', 0));
    const updated = group.commit(put('/a', '2', 2));
    const late = group.commit(put('/a', '3', 0)).catch((error: unknown) => error);
    await disk.finish();
    expect([(await created).revision, (await updated).revision]).toEqual([2, 3]);
    const conflict = await late;
    expect(conflict).toBeInstanceOf(StoreConflictError);
    expect((conflict as StoreConflictError).current).toBe(disk.view.get('/a'));
  });

  it('refuses at once what conflicts with the durable state', async () => {
    const disk = new ManualDisk();
    const group = new GroupCommit(disk);
    const write = group.commit(put('/a', '1'));
    await disk.finish();
    await write;
    await expect(group.commit(put('/a', '2', 0))).rejects.toBeInstanceOf(StoreConflictError);
    expect(disk.groups).toHaveLength(1);
  });

  it('rejects the group that the disk refuses, and decides again what was refused because of it', async () => {
    const disk = new ManualDisk();
    const group = new GroupCommit(disk);
    const failed = group.commit(put('/a', '1', 0)).catch((error: unknown) => error);
    const waiting = group.commit(put('/a', '2', 0));
    await disk.finish(new StoreUnavailableError('the disk is full'));
    expect(await failed).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    await disk.finish();
    expect((await waiting).revision).toBe(2);
    expect(disk.view.get('/a')?.value.toString()).toBe('2');
  });

  it('makes no group of transactions that change nothing', async () => {
    const disk = new ManualDisk();
    const { revision } = await new GroupCommit(disk).commit([{ key: '/absent', value: undefined }]);
    expect([revision, disk.groups]).toEqual([1, []]);
  });
});
