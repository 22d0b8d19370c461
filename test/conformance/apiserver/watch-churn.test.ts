import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigMap } from '../../../src/kube/generated/types.ts';
import { resources } from '../../../src/kube/resources.ts';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';

// Larger by hand: TOWTANK_CHURN=100000 TOWTANK_WATCHERS=200.
const WRITES = Number(process.env['TOWTANK_CHURN'] ?? 2000);
const WATCHERS = Number(process.env['TOWTANK_WATCHERS'] ?? 20);
const NAMES = 50;
const BATCH = 100;
/** So far the writer runs ahead of the slowest watcher: what lies between waits in memory. */
const AHEAD = 2000;
/** What a slow machine takes. */
const MS_PER_EVENT = 0.5;
const path = '/api/v1/namespaces/default/configmaps';

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly name: string;
  readonly revision: number;
}

interface Frame {
  readonly type: Change['type'] | 'BOOKMARK' | 'ERROR';
  readonly object: ConfigMap & { readonly code?: number };
}

const isSame = (a: Change, b: Change | undefined): boolean => a.type === b?.type && a.name === b.name;
const revisionOf = ({ metadata }: ConfigMap): number => Number(metadata?.resourceVersion);

/** A client as informers are: lists, watches from there, and does both again when it is told that its version is gone. */
class Watcher {
  readonly seen: Change[] = [];
  /** Objects by name, as a cache has them. */
  readonly cache = new Map<string, number>();
  /** What must not happen, told at the end. */
  readonly problems: string[] = [];
  /** Each list, and how much was seen before it. */
  readonly lists: { readonly revision: number; readonly before: number }[] = [];
  reconnects = 0;
  readonly #url: string;
  readonly #random: () => number;
  readonly #told: Map<number, Change>;
  #revision = 0;
  #response: IncomingMessage | undefined;
  #reached: { readonly revision: number; readonly resolve: () => void } | undefined;

  /** `told` holds what any watcher was told of a revision: millions of equal changes are kept once. */
  constructor(url: string, random: () => number, told: Map<number, Change>) {
    this.#url = url;
    this.#random = random;
    this.#told = told;
  }

  async list(): Promise<void> {
    const answer = await fetch(`${this.#url}${path}`);
    const list = (await answer.json()) as { metadata: { resourceVersion: string }; items: ConfigMap[] };
    this.#revision = Number(list.metadata.resourceVersion);
    this.lists.push({ revision: this.#revision, before: this.seen.length });
    this.cache.clear();
    for (const item of list.items) this.cache.set(item.metadata?.name ?? '', revisionOf(item));
    this.#check();
  }

  /** Watches until it is closed, and comes back after each end. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#revision}`;
      const request = get(`${this.#url}${path}?${query}`, { agent: false, signal });
      request.on('error', () => {});
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      this.#response = response;
      const isGone = await this.#read(response);
      request.destroy();
      this.reconnects++;
      if (isGone) await this.list();
    }
  }

  /** Breaks the connection now and then, as networks do. */
  disturb(): void {
    if (this.#random() < 0.1) this.#response?.destroy();
  }

  /** Resolves when everything up to this revision has arrived. */
  reach(revision: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#reached = { revision, resolve };
    this.#check();
    return promise;
  }

  async #read(response: IncomingMessage): Promise<boolean> {
    let rest = '';
    try {
      for await (const chunk of response) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (this.#take(JSON.parse(line) as Frame)) return true;
      }
    } catch {
      // Broken off on purpose.
    }
    return response.statusCode === 410;
  }

  #take({ type, object }: Frame): boolean {
    if (type === 'ERROR') {
      if (object.code !== 410) this.problems.push(`an error that is no 410: ${JSON.stringify(object)}`);
      return true;
    }
    const revision = revisionOf(object);
    if (revision < this.#revision) this.problems.push(`${revision} after ${this.#revision}`);
    this.#revision = revision;
    if (type !== 'BOOKMARK') {
      const name = object.metadata?.name ?? '';
      this.seen.push(this.#once({ type, name, revision }));
      if (type === 'DELETED') this.cache.delete(name);
      else this.cache.set(name, revision);
    }
    this.#check();
    return false;
  }

  #once(change: Change): Change {
    const known = this.#told.get(change.revision);
    if (isSame(change, known)) return known!;
    this.#told.set(change.revision, change);
    return change;
  }

  #check(): void {
    if (this.#reached && this.#revision >= this.#reached.revision) this.#reached.resolve();
  }
}

describe(`${WATCHERS} watchers over ${WRITES} writes with compactions and broken connections`, () => {
  let lab: ApiServerLab;
  beforeAll(async () => {
    lab = await startApiServerLab();
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('see every change once and in order', { timeout: 60_000 + WRITES * WATCHERS * MS_PER_EVENT }, async () => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const told = new Map<number, Change>();
    const watchers = Array.from({ length: WATCHERS }, () => new Watcher(lab.plainUrl, random, told));
    await Promise.all(watchers.map((watcher) => watcher.list()));
    const stop = new AbortController();
    const following = watchers.map((watcher) =>
      watcher.follow(stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
      }),
    );
    const arrive = async (revision: number): Promise<void> => {
      await Promise.race([Promise.all(watchers.map((watcher) => watcher.reach(revision))), Promise.all(following)]);
    };
    const changes = await writeAll(lab, { random, watchers, arrive });
    await arrive(changes.at(-1)!.revision);
    stop.abort();
    await Promise.all(following);
    const expected = new Map(changes.map((change) => [change.revision, change]));
    const judge = new Watcher(lab.plainUrl, random, told);
    await judge.list();
    for (const { seen, cache, lists, problems } of watchers) {
      expect(problems, `seed ${seed}`).toEqual([]);
      const wrong = seen.filter((change) => !isSame(change, expected.get(change.revision)));
      expect(wrong, `seed ${seed}`).toEqual([]);
      // From each list on, nothing is left out, told twice or out of order until the next one.
      for (const [index, { revision, before }] of lists.entries()) {
        const told = seen.slice(before, lists[index + 1]?.before).map((change) => change.revision);
        const until = told.at(-1) ?? revision;
        const made = changes.filter((change) => change.revision > revision && change.revision <= until);
        expect(told, `seed ${seed}`).toEqual(made.map((change) => change.revision));
      }
      expect([...cache].sort(), `seed ${seed}`).toEqual([...judge.cache].sort());
    }
    expect(watchers.reduce((sum, { reconnects }) => sum + reconnects, 0)).toBeGreaterThan(WATCHERS);
  });
});

interface Churn {
  readonly random: () => number;
  readonly watchers: readonly Watcher[];
  /** Resolves when every watcher has seen this revision. */
  readonly arrive: (revision: number) => Promise<void>;
}

async function writeAll({ client, store }: ApiServerLab, { random, watchers, arrive }: Churn): Promise<Change[]> {
  const changes: Change[] = [];
  const alive = new Set<string>();
  for (let i = 0; i < WRITES; i++) {
    const name = `churn-${Math.floor(random() * NAMES)}`;
    const key = { name, namespace: 'default' };
    if (!alive.has(name)) {
      const made = await client.create(resources.configMaps, { metadata: key, data: { i: String(i) } });
      changes.push({ type: 'ADDED', name, revision: revisionOf(made) });
      alive.add(name);
    } else if (random() < 0.2) {
      await client.delete(resources.configMaps, key);
      changes.push({ type: 'DELETED', name, revision: store.revision });
      alive.delete(name);
    } else {
      const made = await client.update(resources.configMaps, { metadata: key, data: { i: String(i) } });
      changes.push({ type: 'MODIFIED', name, revision: revisionOf(made) });
    }
    if (i % BATCH !== BATCH - 1) continue;
    for (const watcher of watchers) watcher.disturb();
    // Some are too late for what is compacted here.
    if (random() < 0.1) await store.compact(store.revision);
    if (i % AHEAD === AHEAD - 1) await arrive(store.revision);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return changes;
}
