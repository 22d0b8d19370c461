import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCode } from '../../../src/errors/towtank-error.ts';
import { type Store, StoreConflictError } from '../../../src/store/store.ts';
import { describeEvent, recordWatch } from '../../helpers/recorded-watch.ts';
import { settled } from '../../helpers/stepped-clock.ts';
import { describeConcurrency } from './concurrency-suite.ts';

/** What the suite asks of an engine under test. */
export interface StoreHarness {
  /** A new, empty store. */
  open(): Promise<Store>;
  /** A second handle on the same state, where an engine has such. */
  another?(): Promise<Store>;
  /** Lets `seconds` pass for leases: steps a clock, or does nothing where time is real. */
  pass(seconds: number): Promise<void>;
  readonly close: () => Promise<void>;
}

const bytes = (text: string): Buffer => Buffer.from(text);
const put = (store: Store, key: string, text: string, expect?: number) =>
  store.commit([{ key, value: bytes(text), expect }]);
const remove = (store: Store, key: string, expect?: number) => store.commit([{ key, value: undefined, expect }]);
const keysOf = (items: readonly { readonly key: string }[]): string[] => items.map((item) => item.key);

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** The claims that every engine must meet. */
export function describeStore(name: string, start: () => Promise<StoreHarness>): void {
  describe(name, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await harness.close();
    });

    describe('writes', () => {
      it('shows a write in reads as soon as it is acknowledged', async () => {
        const { revision, current, previous } = await put(store, '/a', 'one');
        expect(store.get('/a')).toBe(current[0]);
        expect(store.get('/a')).toMatchObject({ key: '/a', createRevision: revision, modRevision: revision });
        expect(store.get('/a')?.value.toString()).toBe('one');
        expect(previous).toEqual([undefined]);
        expect(store.revision).toBe(revision);
      });

      it('raises the revision by one with each change and keeps createRevision until the key is made again', async () => {
        const first = await put(store, '/a', 'one');
        const second = await put(store, '/a', 'two');
        expect(second.revision).toBe(first.revision + 1);
        expect(store.get('/a')?.createRevision).toBe(first.revision);
        expect((await remove(store, '/a')).revision).toBe(first.revision + 2);
        const again = await put(store, '/a', 'three');
        expect(store.get('/a')?.createRevision).toBe(again.revision);
      });

      it('keeps what the writer says the bytes mean', async () => {
        const decoded = { name: 'a' };
        const { current } = await store.commit([{ key: '/a', value: bytes('{}'), decoded }]);
        expect(current[0]?.decoded).toBe(decoded);
        expect(store.get('/a')?.decoded).toBe(decoded);
      });

      it('refuses to create what exists, and tells what is there', async () => {
        const { revision } = await put(store, '/a', 'one');
        const error = await rejection(put(store, '/a', 'two', 0));
        expect(error).toBeInstanceOf(StoreConflictError);
        expect(error).toMatchObject({ code: 'ERR_STORE_CONFLICT', key: '/a', current: { modRevision: revision } });
        expect(store.get('/a')?.value.toString()).toBe('one');
        expect(store.revision).toBe(revision);
      });

      it('refuses to replace or delete a version that is no longer the newest', async () => {
        const { revision: first } = await put(store, '/a', 'one');
        await put(store, '/a', 'two', first);
        expect(await rejection(put(store, '/a', 'three', first))).toBeInstanceOf(StoreConflictError);
        expect(await rejection(remove(store, '/a', first))).toBeInstanceOf(StoreConflictError);
        expect(await rejection(put(store, '/gone', 'x', first))).toMatchObject({ key: '/gone', current: undefined });
        expect(store.get('/a')?.value.toString()).toBe('two');
      });

      it('deletes what is absent without an event or a new revision', async () => {
        const before = store.revision;
        const watch = recordWatch(store, '/');
        expect((await remove(store, '/a')).revision).toBe(before);
        await put(store, '/b', 'x');
        await watch.until(1);
        expect(watch.events.map(describeEvent)).toEqual(['create /b=x']);
      });

      it('applies all operations of a transaction at one revision', async () => {
        await put(store, '/a', 'one');
        const { revision, current } = await store.commit([
          { key: '/a', value: bytes('two') },
          { key: '/b', value: bytes('new'), expect: 0 },
          { key: '/absent', value: undefined },
        ]);
        expect(current.map((version) => version?.modRevision)).toEqual([revision, revision, undefined]);
        expect(keysOf(store.range('/').items)).toEqual(['/a', '/b']);
      });

      it('applies nothing of a transaction when one expectation fails', async () => {
        const { revision } = await put(store, '/a', 'one');
        const error = await rejection(
          store.commit([
            { key: '/b', value: bytes('new'), expect: 0 },
            { key: '/a', value: bytes('two'), expect: revision + 7 },
          ]),
        );
        expect(error).toMatchObject({ code: 'ERR_STORE_CONFLICT', key: '/a' });
        expect(keysOf(store.range('/').items)).toEqual(['/a']);
        expect(store.get('/a')?.value.toString()).toBe('one');
      });

      it('refuses one key twice and more than 128 operations', async () => {
        const twice = [
          { key: '/a', value: bytes('1') },
          { key: '/a', value: bytes('2') },
        ];
        const many = Array.from({ length: 129 }, (_, i) => ({ key: `/k${i}`, value: bytes('x') }));
        expect(await rejection(store.commit(twice))).toMatchObject({ code: 'ERR_INTERNAL' });
        expect(await rejection(store.commit(many))).toMatchObject({ code: 'ERR_INTERNAL' });
        expect((await store.commit(many.slice(1))).current).toHaveLength(128);
      });

      it('lets exactly one of many concurrent creations win', async () => {
        const attempts = Array.from({ length: 20 }, (_, i) => rejection(put(store, '/a', `writer ${i}`, 0)));
        const errors = await Promise.all(attempts);
        expect(errors.filter((error) => error === undefined)).toHaveLength(1);
        expect(errors.filter((error) => hasCode(error, 'ERR_STORE_CONFLICT'))).toHaveLength(19);
      });

      it('keeps values of any bytes and any size up to a megabyte', async () => {
        const value = Buffer.alloc(
          1 << 20,
          Uint8Array.from({ length: 256 }, (_, i) => i),
        );
        await store.commit([{ key: '/big', value }]);
        await store.commit([{ key: '/empty', value: Buffer.alloc(0) }]);
        expect(store.get('/big')?.value.equals(value)).toBe(true);
        expect(store.get('/empty')?.value).toHaveLength(0);
      });
    });

    describe('ranges', () => {
      const fill = async (...keys: string[]) => {
        for (const key of keys) await put(store, key, key);
      };

      it('lists the keys under a prefix in order, and nothing beside it', async () => {
        await fill('/pods/b', '/pods/a', '/podsx', '/pod', '/pods/ü', '/pods/c/d', '/pods0');
        const { items, remaining, revision } = store.range('/pods/');
        expect(keysOf(items)).toEqual(['/pods/a', '/pods/b', '/pods/c/d', '/pods/ü']);
        expect({ remaining, revision }).toEqual({ remaining: 0, revision: store.revision });
        expect(store.count('/pods/')).toBe(4);
        expect(store.count('/')).toBe(7);
        expect(store.count('/none/')).toBe(0);
      });

      it('gives a list in pieces with the number that remains', async () => {
        await fill('/k/1', '/k/2', '/k/3', '/k/4', '/k/5', '/l/1');
        const first = store.range('/k/', { limit: 2 });
        expect([keysOf(first.items), first.remaining]).toEqual([['/k/1', '/k/2'], 3]);
        const second = store.range('/k/', { limit: 2, after: '/k/2' });
        expect([keysOf(second.items), second.remaining]).toEqual([['/k/3', '/k/4'], 1]);
        const third = store.range('/k/', { limit: 2, after: '/k/4' });
        expect([keysOf(third.items), third.remaining]).toEqual([['/k/5'], 0]);
      });

      it('shows the state of an earlier revision, whole or in pieces', async () => {
        await fill('/k/1', '/k/2', '/k/3', '/k/5');
        const revision = store.revision;
        await put(store, '/k/2', 'changed');
        await remove(store, '/k/3');
        await fill('/k/0', '/k/4');
        await put(store, '/k/2', 'changed again');
        await remove(store, '/k/4');
        const then = store.range('/k/', { atRevision: revision });
        expect(keysOf(then.items)).toEqual(['/k/1', '/k/2', '/k/3', '/k/5']);
        expect(then.items[1]?.value.toString()).toBe('/k/2');
        expect(then.revision).toBe(revision);
        const piece = store.range('/k/', { atRevision: revision, limit: 2, after: '/k/1' });
        expect([keysOf(piece.items), piece.remaining]).toEqual([['/k/2', '/k/3'], 1]);
        expect(keysOf(store.range('/k/').items)).toEqual(['/k/0', '/k/1', '/k/2', '/k/5']);
      });

      it('refuses revisions that are compacted or still to come', async () => {
        await fill('/k/1', '/k/2', '/k/3');
        const { revision } = store;
        await store.compact(revision - 1);
        expect(store.compactedRevision).toBe(revision - 1);
        expect(() => store.range('/k/', { atRevision: revision - 2 })).toThrow(
          expect.objectContaining({ code: 'ERR_STORE_COMPACTED', compactedRevision: revision - 1 }),
        );
        expect(() => store.range('/k/', { atRevision: revision + 1 })).toThrow(
          expect.objectContaining({ code: 'ERR_STORE_FUTURE_REVISION', currentRevision: revision }),
        );
        expect(keysOf(store.range('/k/', { atRevision: revision - 1 }).items)).toEqual(['/k/1', '/k/2']);
      });

      it('shows all acknowledged writes after a barrier', async () => {
        await put(store, '/a', 'one');
        await store.barrier();
        expect(store.get('/a')?.value.toString()).toBe('one');
      });
    });

    describe('watches', () => {
      it('tells every change under the prefix in order, with the version before', async () => {
        const watch = recordWatch(store, '/k/');
        await put(store, '/k/1', 'one');
        await put(store, '/l/1', 'beside');
        await put(store, '/k/1', 'two');
        await remove(store, '/k/1');
        await watch.until(3);
        expect(watch.events.map(describeEvent)).toEqual(['create /k/1=one', 'update /k/1=two', 'delete /k/1']);
        expect(watch.events.map((event) => event.previous?.value.toString())).toEqual([undefined, 'one', 'two']);
        expect(watch.events[2]?.revision).toBe(store.revision);
      });

      it('starts after any revision since the compaction, without gap or duplicate', async () => {
        for (let i = 0; i < 10; i++) await put(store, '/k', String(i));
        const watch = recordWatch(store, '/', store.revision - 4);
        await put(store, '/k', 'live');
        await watch.until(5);
        expect(watch.events.map((event) => event.current?.value.toString())).toEqual(['6', '7', '8', '9', 'live']);
      });

      it('never calls before watch has returned', async () => {
        await put(store, '/k', 'one');
        const watch = recordWatch(store, '/', store.revision - 1);
        expect(watch.events).toEqual([]);
        await watch.until(1);
      });

      it('gives the events of one transaction in one call', async () => {
        const watch = recordWatch(store, '/k/');
        await store.commit(['/k/1', '/l/1', '/k/2'].map((key) => ({ key, value: bytes('x') })));
        await watch.until(2);
        expect(watch.batches.map(keysOf)).toEqual([['/k/1', '/k/2']]);
      });

      it('waits for a revision that is still to come', async () => {
        const watch = recordWatch(store, '/', store.revision + 2);
        for (const text of ['1', '2', '3', '4']) await put(store, '/k', text);
        await watch.until(2);
        expect(watch.events.map((event) => event.current?.value.toString())).toEqual(['3', '4']);
      });

      it('refuses a revision older than the compaction, and serves the compaction itself', async () => {
        for (const text of ['1', '2', '3']) await put(store, '/k', text);
        const { revision } = store;
        await store.compact(revision - 1);
        expect(() => recordWatch(store, '/', revision - 2)).toThrow(
          expect.objectContaining({ code: 'ERR_STORE_COMPACTED' }),
        );
        const watch = recordWatch(store, '/', revision - 1);
        await watch.until(1);
        expect(watch.events.map(describeEvent)).toEqual(['update /k=3']);
      });

      it('is silent once closed, even when closed twice', async () => {
        const closed = recordWatch(store, '/');
        const open = recordWatch(store, '/');
        closed.close();
        closed.close();
        await put(store, '/k', 'one');
        await open.until(1);
        expect(closed.events).toEqual([]);
      });

      it('keeps the order for all watches when one of them writes while it is told', async () => {
        const seen = recordWatch(store, '/');
        const writer = store.watch({
          prefix: '/',
          onEvents: (events) => {
            for (const { key } of events) if (key === '/first') void put(store, '/second', 'x');
          },
          onEnd: () => {},
        });
        const late = recordWatch(store, '/');
        await put(store, '/first', 'x');
        await Promise.all([seen.until(2), late.until(2)]);
        expect(keysOf(seen.events)).toEqual(['/first', '/second']);
        expect(keysOf(late.events)).toEqual(['/first', '/second']);
        writer.close();
      });

      it('ends without a cause when the store is closed', async () => {
        const watch = recordWatch(store, '/');
        await store[Symbol.asyncDispose]();
        expect(await watch.ended).toBeUndefined();
        expect(await rejection(put(store, '/a', 'x'))).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
      });
    });

    describe('compaction', () => {
      it('keeps the newest version of each key', async () => {
        for (const text of ['1', '2', '3']) await put(store, '/k', text);
        await put(store, '/gone', 'x');
        await remove(store, '/gone');
        await store.compact(store.revision);
        expect(store.range('/').items.map((item) => item.value.toString())).toEqual(['3']);
      });

      it('does nothing for a revision that is gone and refuses one to come', async () => {
        for (const text of ['1', '2', '3']) await put(store, '/k', text);
        await store.compact(store.revision);
        const { compactedRevision } = store;
        await store.compact(compactedRevision - 1);
        expect(store.compactedRevision).toBe(compactedRevision);
        expect(await rejection(store.compact(store.revision + 1))).toMatchObject({ code: 'ERR_STORE_FUTURE_REVISION' });
      });
    });

    describe('leases', () => {
      it('deletes the keys of a lease when its time is over', async () => {
        const lease = await store.grantLease(2);
        await store.commit([{ key: '/leased', value: bytes('x'), lease }]);
        await put(store, '/kept', 'x');
        expect(store.get('/leased')?.lease).toBe(lease);
        const watch = recordWatch(store, '/');
        await harness.pass(3);
        await watch.until(1);
        expect(watch.events.map(describeEvent)).toEqual(['delete /leased']);
        expect(keysOf(store.range('/').items)).toEqual(['/kept']);
        expect(await rejection(store.keepAlive(lease))).toMatchObject({ code: 'ERR_STORE_LEASE' });
      });

      it('lets a key live on when it was written again without the lease', async () => {
        const [lease, other] = [await store.grantLease(60), await store.grantLease(60)];
        await store.commit([{ key: '/freed', value: bytes('x'), lease }]);
        await store.commit([{ key: '/moved', value: bytes('x'), lease }]);
        await put(store, '/freed', 'y');
        await store.commit([{ key: '/moved', value: bytes('y'), lease: other }]);
        await store.revokeLease(lease);
        expect(keysOf(store.range('/').items)).toEqual(['/freed', '/moved']);
        await store.revokeLease(other);
        expect(keysOf(store.range('/').items)).toEqual(['/freed']);
      });

      it('refuses a write with a lease that does not exist', async () => {
        const lease = await store.grantLease(60);
        await store.revokeLease(lease);
        await store.revokeLease(lease);
        const error = await rejection(store.commit([{ key: '/a', value: bytes('x'), lease }]));
        expect(error).toMatchObject({ code: 'ERR_STORE_LEASE' });
        expect(store.get('/a')).toBeUndefined();
      });
    });

    describe('snapshots', () => {
      it('hold the state of their moment', async () => {
        await put(store, '/a', 'one');
        const snapshot = await store.snapshot();
        await put(store, '/a', 'two');
        await put(store, '/b', 'new');
        const entries = [];
        for await (const entry of snapshot.entries) entries.push(`${entry.key}=${entry.value.toString()}`);
        expect(entries).toEqual(['/a=one']);
        expect(snapshot.revision).toBe(store.revision - 2);
      });

      it('replace everything when restored: a higher revision, no history, all watches told to list again', async () => {
        await put(store, '/a', 'one');
        await put(store, '/b', 'two');
        const snapshot = await store.snapshot();
        await put(store, '/a', 'changed');
        await remove(store, '/b');
        await put(store, '/c', 'new');
        const { revision } = store;
        const watch = recordWatch(store, '/');
        await store.restore(snapshot);
        expect(store.range('/').items.map((item) => `${item.key}=${item.value.toString()}`)).toEqual([
          '/a=one',
          '/b=two',
        ]);
        expect(store.revision).toBeGreaterThan(revision);
        expect(store.compactedRevision).toBe(store.revision);
        expect(await watch.ended).toMatchObject({ code: 'ERR_STORE_COMPACTED' });
        expect(watch.events).toEqual([]);
        const after = store.revision;
        expect((await put(store, '/a', 'on', store.get('/a')?.modRevision)).revision).toBe(after + 1);
      });

      it('bring the leases back', async () => {
        const lease = await store.grantLease(60);
        await store.commit([{ key: '/leased', value: bytes('x'), lease }]);
        const snapshot = await store.snapshot();
        await store.revokeLease(lease);
        await store.restore(snapshot);
        const restored = store.get('/leased')?.lease;
        expect(restored).toBeDefined();
        await store.keepAlive(restored!);
        await store.revokeLease(restored!);
        await settled();
        expect(store.get('/leased')).toBeUndefined();
      });
    });

    describe('many at once', () => {
      let second: Store | undefined;
      beforeEach(async () => {
        second = await harness.another?.();
      });
      afterEach(() => second?.[Symbol.asyncDispose]());
      describeConcurrency(async () => (second ? [store, second] : [store]));
    });
  });
}
