import { expect, it } from 'vitest';
import { type Store, StoreConflictError, type StoreEvent, type StoreWatch } from '../../../src/store/store.ts';
import { findAnomaly, type HistoryEntry } from '../../helpers/check-history.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { settled } from '../../helpers/stepped-clock.ts';

/** TOWTANK_FUZZ=n: so many times the work. */
const SCALE = Number(process.env['TOWTANK_FUZZ'] ?? 1);

/** Claims about many who use a store at once, through one handle of it or through two. */
export function describeConcurrency(handles: () => Promise<readonly Store[]>): void {
  it(`is linearizable: what one was told, all see from then on (seed 21, ${SCALE} times)`, async () => {
    const stores = await handles();
    const random = seededRandom(21);
    const history: HistoryEntry[] = [];
    let time = 0;
    const client = async (store: Store, steps: number): Promise<void> => {
      for (let step = 0; step < steps; step++) {
        const key = `/register/${Math.floor(random() * 4)}`;
        const start = ++time;
        if (random() < 0.5) {
          await store.barrier();
          history.push({ key, type: 'read', start, end: ++time, revision: store.get(key)?.modRevision ?? 0 });
          // A read of this process takes no time: let the others have their turn.
          await settled(1);
        } else await write(store, key, start);
      }
    };
    const write = async (store: Store, key: string, start: number): Promise<void> => {
      const expected = store.get(key)?.modRevision ?? 0;
      try {
        const expect = random() < 0.7 ? expected : undefined;
        const { revision, previous } = await store.commit([{ key, value: Buffer.from(String(start)), expect }]);
        history.push({ key, type: 'write', start, end: ++time, revision, replaced: previous[0]?.modRevision ?? 0 });
      } catch (error) {
        if (!(error instanceof StoreConflictError)) throw error;
        history.push({ key, type: 'read', start, end: ++time, revision: error.current?.modRevision ?? 0 });
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, i) => client(stores[i % stores.length]!, 60 * SCALE)));
    expect(findAnomaly(history)).toBeUndefined();
    expect(history.filter(({ type }) => type === 'write').length).toBeGreaterThan(50);
  });

  it(`keeps every watch complete and in order while compactions and reconnects go on (seed 22, ${SCALE} times)`, async () => {
    const stores = await handles();
    const random = seededRandom(22);
    const followers = Array.from(
      { length: Math.min(200, 20 * SCALE) },
      (_, i) => new Follower(stores[i % stores.length]!),
    );
    const writer = async (store: Store, name: number): Promise<void> => {
      for (let i = 0; i < 100 * SCALE; i++) {
        const key = `/churn/${Math.floor(random() * 50)}`;
        await store.commit([{ key, value: random() < 0.2 ? undefined : Buffer.from(`${name}.${i}`) }]);
        if (random() < 0.02) await store.compact(Math.max(1, store.revision - Math.floor(random() * 40)));
        if (random() < 0.1) followers[Math.floor(random() * followers.length)]!.reconnect();
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, i) => writer(stores[i % stores.length]!, i)));
    await Promise.all(stores.map((store) => store.barrier()));
    await settled();
    for (const follower of followers) {
      expect(follower.problem).toBeUndefined();
      expect(follower.state()).toEqual(stateOf(stores[0]!));
      follower.close();
    }
  });
}

const PREFIX = '/churn/';
const stateOf = (store: Store): Record<string, string> =>
  Object.fromEntries(store.range(PREFIX).items.map(({ key, value, modRevision }) => [key, `${value}@${modRevision}`]));

/** Follows a prefix as a client does: a list, then a watch; a list again only when history is gone. */
class Follower {
  /** The first thing that a watch may not do. */
  problem: string | undefined;
  readonly #store: Store;
  readonly #values = new Map<string, { readonly text: string; readonly revision: number }>();
  #revision = 0;
  #watch: StoreWatch | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#list();
    this.#start();
  }

  state(): Record<string, string> {
    const keys = [...this.#values.keys()].sort();
    return Object.fromEntries(
      keys.map((key) => [key, `${this.#values.get(key)!.text}@${this.#values.get(key)!.revision}`]),
    );
  }

  /** Drops the watch and goes on from the last revision seen. */
  reconnect(): void {
    this.close();
    this.#start();
  }

  close(): void {
    this.#watch?.close();
  }

  #list(): void {
    const { items, revision } = this.#store.range(PREFIX);
    this.#values.clear();
    for (const { key, value, modRevision } of items)
      this.#values.set(key, { text: value.toString(), revision: modRevision });
    this.#revision = revision;
  }

  #start(): void {
    const request = {
      prefix: PREFIX,
      onEvents: (events: readonly StoreEvent[]) => this.#take(events),
      onEnd: () => {
        this.problem ??= 'the watch was ended';
      },
    };
    try {
      this.#watch = this.#store.watch({ ...request, afterRevision: this.#revision });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_STORE_COMPACTED') throw error;
      this.#list();
      this.#watch = this.#store.watch({ ...request, afterRevision: this.#revision });
    }
  }

  #take(events: readonly StoreEvent[]): void {
    for (const { key, revision, current, previous } of events) {
      if (revision <= this.#revision) this.problem ??= `${revision} came after ${this.#revision}`;
      const known = this.#values.get(key)?.revision ?? 0;
      if (known !== (previous?.modRevision ?? 0))
        this.problem ??= `${key}@${revision} replaced ${previous?.modRevision ?? 0}, seen was ${known}`;
      if (current === undefined) this.#values.delete(key);
      else this.#values.set(key, { text: current.value.toString(), revision });
      this.#revision = revision;
    }
  }
}
