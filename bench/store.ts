// The measures of the store engines, medians of 5 (ROUNDS=n), as a Markdown table; about two minutes.
//   node bench/store.ts              all; or name some: memory sqlite latency load etcd (with ETCD=/path/to/etcd, or on the PATH)
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EtcdClient } from '../src/store/etcd/etcd-client.ts';
import { EtcdStore } from '../src/store/etcd/etcd-store.ts';
import { decodeTransaction, encodeTransaction } from '../src/store/etcd/messages.ts';
import { MemoryStore } from '../src/store/memory-store.ts';
import { SqliteStore } from '../src/store/sqlite/sqlite-store.ts';
import type { Store, WriteOperation } from '../src/store/store.ts';
import { startApiServerLab } from '../test/helpers/api-server-lab.ts';
import { EtcdPeer, findEtcd, NO_ETCD } from '../test/helpers/etcd-peer.ts';
import { systemClock as clock } from '../test/helpers/system-clock.ts';
import type { LoadAnswer, LoadRequest } from './store/write-load.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const CLIENTS = 32;
const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-store-'));
const rows: string[] = [];

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1] ?? Number.NaN;
const p99 = (values: readonly number[]): number => sorted(values)[Math.floor(values.length * 0.99)] ?? Number.NaN;

function note(what: string, values: readonly number[], goal: string): void {
  const all = values.map(print).join(' ');
  rows.push(`| ${what} | ${print(median(values))} | ${goal} | ${all} |`);
  process.stderr.write(`${what}: ${print(median(values))}\n`);
}
const print = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));

const worker = new Worker(new URL('./store/write-load.ts', import.meta.url));
async function load(request: LoadRequest): Promise<LoadAnswer> {
  worker.postMessage(request);
  return ((await once(worker, 'message')) as [LoadAnswer])[0];
}

/** Runs `measure` on an API server over a new store, `ROUNDS` times after one that does not count. */
async function throughApi(
  open: (round: number) => Promise<Store>,
  request: Omit<LoadRequest, 'port' | 'label'>,
): Promise<readonly LoadAnswer[]> {
  const answers: LoadAnswer[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    await using store = await open(round);
    await using lab = await startApiServerLab({ store });
    const port = Number(new URL(lab.plainUrl).port);
    await lab.client.list({ group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false });
    const warm = await load({ ...request, port, label: 'warm', count: Math.min(500, request.count) });
    if (warm.latencies.length === 0) throw new Error('nothing was written');
    const answer = await load({ ...request, port, label: 'bench' });
    if (round > 0) answers.push(answer);
  }
  return answers;
}

const sqlite = (name: string): Promise<Store> => SqliteStore.open({ path: join(folder, `${name}.db`), clock });
const perSecond = (answers: readonly LoadAnswer[]): number[] =>
  answers.map(({ seconds, latencies }) => latencies.length / seconds);

async function benchMemory(): Promise<void> {
  const answers = await throughApi(async () => new MemoryStore({ clock }), {
    clients: CLIENTS,
    count: 20_000,
    rate: 0,
  });
  note('writes/s through the API, memory, 32 clients', perSecond(answers), '>= 8,000');
}

async function benchSqlite(): Promise<void> {
  const answers = await throughApi((round) => sqlite(`write-${round}`), { clients: CLIENTS, count: 6000, rate: 0 });
  note('durable writes/s through the API, sqlite, 32 clients', perSecond(answers), '>= 4,000');
}

async function benchLatency(): Promise<void> {
  const answers = await throughApi((round) => sqlite(`rate-${round}`), { clients: CLIENTS, count: 1500, rate: 500 });
  note(
    'p99 of a durable write at 500/s, sqlite, ms',
    answers.map(({ latencies }) => p99(latencies)),
    '< 25',
  );
}

async function benchLoad(): Promise<void> {
  const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', data: { key: 'x'.repeat(900) } }));
  {
    await using store = await sqlite('large');
    for (let at = 0; at < 100_000; at += 100 * 64) {
      const batches = Array.from({ length: 64 }, (_, batch) =>
        Array.from({ length: 100 }, (_, i) => ({
          key: `/registry/core/configmaps/default/c-${at + batch * 100 + i}`,
          value,
        })),
      );
      await Promise.all(batches.map((operations) => store.commit(operations)));
    }
  }
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    await using store = await sqlite('large');
    times.push((performance.now() - before) / 1000);
    if (store.count('') < 100_000) throw new Error(`only ${store.count('')} objects were loaded`);
  }
  note('100,000 objects loaded from sqlite, s', times, '< 5');
}

async function benchEtcd(): Promise<void> {
  const etcd = findEtcd();
  if (etcd === undefined) return void process.stderr.write(`etcd is left out: ${NO_ETCD}\n`);
  await using peer = await EtcdPeer.start(etcd);
  const options = { endpoints: [peer.endpoint], clock };
  using client = new EtcdClient(options);
  await using store = await EtcdStore.open(options);
  const bare = async (operation: WriteOperation): Promise<void> => {
    const { succeeded } = decodeTransaction(
      await client.write('/etcdserverpb.KV/Txn', encodeTransaction([operation], '')),
    );
    if (!succeeded) throw new Error('a write was refused');
  };
  const results = { bare: [] as number[], store: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const bares = await writeAll(`/bare/${round}`, bare);
    const stores = await writeAll(`/store/${round}`, async (operation) => void (await store.commit([operation])));
    if (round === 0) continue;
    results.bare.push(bares);
    results.store.push(stores);
  }
  const ratios = results.store.map((value, index) => value / results.bare[index]!);
  note('writes/s, client of etcd bare, 32 at a time', results.bare, '');
  note('writes/s, etcd engine, 32 at a time', results.store, '');
  note('etcd engine : client bare', ratios, '>= 0.8');
}

async function writeAll(prefix: string, write: (operation: WriteOperation) => Promise<void>): Promise<number> {
  const [count, value] = [4000, Buffer.alloc(400, 'x')];
  const started = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await write({ key: `${prefix}/${next++}`, value, expect: 0 });
  };
  await Promise.all(Array.from({ length: CLIENTS }, work));
  return (count * 1000) / (performance.now() - started);
}

const benches = { memory: benchMemory, sqlite: benchSqlite, latency: benchLatency, load: benchLoad, etcd: benchEtcd };
const names = process.argv.slice(2);
try {
  for (const [name, bench] of Object.entries(benches)) if (names.length === 0 || names.includes(name)) await bench();
  process.stdout.write(`| what | median of ${ROUNDS} | goal | each |\n|---|---|---|---|\n${rows.join('\n')}\n`);
} finally {
  await worker.terminate();
  rmSync(folder, { recursive: true });
}
