// The measures of the API server over HTTP and TLS, one server process and one process that asks: medians of 5.
//   node bench/apiserver.ts            all; or name some: get list watch start memory writes; ROUNDS=5
import type { Service } from '../src/kube/generated/types.ts';
import { buildEndpointSlice, buildService } from '../test/helpers/build-objects.ts';
import { type BenchServer, startBenchServer } from './apiserver/bench-server.ts';
import { openClients, RawClient } from './apiserver/raw-client.ts';
import { openWatch } from './apiserver/watch-client.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const OBJECTS = 10_000;
const services = '/api/v1/namespaces/default/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const configMaps = '/api/v1/namespaces/default/configmaps';

interface Measure {
  readonly what: string;
  readonly goal: number;
  readonly unit: string;
  /** Whether more is better. */
  readonly more?: boolean;
}
const values = new Map<string, { readonly measure: Measure; readonly values: number[] }>();

function note(measure: Measure, value: number): void {
  const known = values.get(measure.what) ?? { measure, values: [] };
  known.values.push(value);
  values.set(measure.what, known);
}

const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);
const quantile = (list: readonly number[], at: number): number =>
  sorted(list)[Math.min(list.length - 1, Math.floor(list.length * at))] ?? Number.NaN;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function expectStatus(status: number, ...allowed: readonly number[]): void {
  if (!allowed.includes(status)) throw new Error(`the server answered ${status}`);
}

const service = (i: number): Service => ({
  ...buildService({ name: `bench-${i}`, labels: { app: `app-${i}` } }),
  metadata: {
    name: `bench-${i}`,
    labels: { app: `app-${i}`, tier: 'backend' },
    annotations: { note: 'x'.repeat(600) },
  },
  spec: { selector: { app: `app-${i}` }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
});

/** Creates many objects over plain HTTP, so that only what is measured costs much. */
async function fill(server: BenchServer, path: string, bodies: readonly string[]): Promise<void> {
  await everyBody({ ...server, url: server.plainUrl }, 32, bodies, (client, body) => client.send('POST', path, body));
}

async function everyBody(
  server: Pick<BenchServer, 'url' | 'plainUrl' | 'ca' | 'token' | 'startMs'>,
  connections: number,
  bodies: readonly string[],
  send: (client: RawClient, body: string) => Promise<number>,
): Promise<void> {
  const clients = await openClients(server, connections);
  let at = 0;
  const run = async (client: RawClient): Promise<void> => {
    while (at < bodies.length) expectStatus(await send(client, bodies[at++]!), 200, 201);
    client[Symbol.dispose]();
  };
  await Promise.all(clients.map(run));
}

async function benchGet(): Promise<void> {
  await using server = await startBenchServer();
  await fill(server, services, [JSON.stringify(service(0))]);
  const path = `${services}/bench-0`;
  const clients = await openClients(server, 32);
  const ask = async (client: RawClient, until: number): Promise<number> => {
    let count = 0;
    while (performance.now() < until) {
      expectStatus(await client.send('GET', path), 200);
      count++;
    }
    return count;
  };
  await Promise.all(clients.map((client) => ask(client, performance.now() + 1500)));
  const before = await server.read();
  const counts = await Promise.all(clients.map((client) => ask(client, performance.now() + 2500)));
  const { cpuMs } = await server.read();
  const total = counts.reduce((sum, count) => sum + count, 0);
  note(
    { what: 'GET/s of one Service on one core, TLS keep-alive', goal: 10_000, unit: '/s', more: true },
    (total * 1000) / (cpuMs - before.cpuMs),
  );
  note({ what: 'p99 of GET at 2,000/s', goal: 10, unit: 'ms' }, quantile(await paced(clients, path), 0.99));
  for (const client of clients) client[Symbol.dispose]();
}

/** Latencies of GETs that come at 2,000 a second whether the ones before are answered or not. */
async function paced(clients: readonly RawClient[], path: string): Promise<number[]> {
  const latencies: number[] = [];
  const idle = [...clients];
  const due: number[] = [];
  const send = (client: RawClient, at: number): void => {
    void client.send('GET', path).then(() => {
      latencies.push(performance.now() - at);
      const next = due.shift();
      if (next === undefined) idle.push(client);
      else send(client, next);
    });
  };
  const started = performance.now();
  for (let sent = 0; sent < 5000; ) {
    await pause(1);
    for (const wanted = (performance.now() - started) * 2; sent < wanted && sent < 5000; sent++) {
      const at = started + sent / 2;
      const client = idle.pop();
      if (client) send(client, at);
      else due.push(at);
    }
  }
  while (latencies.length < 5000) await pause(5);
  return latencies;
}

async function benchList(): Promise<void> {
  await using server = await startBenchServer();
  await fill(
    server,
    services,
    Array.from({ length: OBJECTS }, (_, i) => JSON.stringify(service(i))),
  );
  using client = await RawClient.open(server);
  expectStatus(await client.send('GET', `${services}?limit=10`), 200);
  const list = async (what: string, goal: number, times = 1): Promise<void> => {
    await server.readCollected();
    const before = await server.read();
    for (let i = 0; i < times; i++) expectStatus(await client.send('GET', services), 200);
    const { cpuMs, longestTurnMs } = await server.read();
    const spent = (cpuMs - before.cpuMs) / times;
    note({ what: `list of 10,000 Services, ${what}`, goal, unit: 'ms CPU' }, spent);
    note({ what: `longest turn of the event loop meanwhile, ${what}`, goal: 25, unit: 'ms' }, longestTurnMs);
  };
  await list('first time', 60);
  // Each answer keeps copies of a part.
  await list('second to fourth time', 60, 3);
  await list('from serialized copies', 20, 5);
}

interface WatchLoad {
  readonly watchers: number;
  readonly perSecond: number;
  readonly events: number;
  readonly at: number;
  readonly goal: number;
  /** Microseconds of the server per event and watcher, the write among them. */
  readonly cpuGoal: number;
}

async function benchWatch({ watchers, perSecond, events, at, goal, cpuGoal }: WatchLoad): Promise<void> {
  await using server = await startBenchServer();
  const writer = await RawClient.open(server);
  const sent: number[] = [];
  const latencies: number[] = [];
  const seen = (number: number): void => void latencies.push(performance.now() - sent[number]!);
  const open: Disposable[] = [];
  const answer = await fetch(`${server.plainUrl}${configMaps}?limit=1`);
  const { metadata } = (await answer.json()) as { readonly metadata: { readonly resourceVersion: string } };
  for (let i = 0; i < watchers; i += 50) {
    const some = Array.from({ length: Math.min(50, watchers - i) }, () =>
      openWatch(server, metadata.resourceVersion, seen),
    );
    open.push(...(await Promise.all(some)));
  }
  const before = await server.read();
  const started = performance.now();
  for (let i = 0; i < events; i++) {
    await pause(Math.max(0, started + (i * 1000) / perSecond - performance.now()));
    const body = JSON.stringify({ metadata: { name: `bench-${i}` }, data: { a: 'x'.repeat(500) } });
    sent[i] = performance.now();
    expectStatus(await writer.send('POST', configMaps, body), 201);
  }
  while (latencies.length < watchers * events) await pause(5);
  const { cpuMs } = await server.read();
  const of = `${watchers} watcher${watchers === 1 ? '' : 's'} at ${perSecond}/s`;
  const perEvent = { what: `server's processor time per delivered event, ${of}`, goal: cpuGoal, unit: 'us' };
  note(perEvent, ((cpuMs - before.cpuMs) * 1000) / (watchers * events));
  const name = at === 0.5 ? 'p50' : 'p99';
  note({ what: `write to watch event, ${of}: ${name}`, goal, unit: 'ms' }, quantile(latencies, at));
  for (const watch of open) watch[Symbol.dispose]();
  writer[Symbol.dispose]();
}

async function benchStart(): Promise<void> {
  await using server = await startBenchServer();
  note({ what: 'start of the API server to a ready answer', goal: 250, unit: 'ms' }, server.startMs);
}

async function benchMemory(): Promise<void> {
  await using server = await startBenchServer();
  await fill(
    server,
    services,
    Array.from({ length: OBJECTS }, (_, i) => JSON.stringify(service(i))),
  );
  const slice = (i: number): string =>
    JSON.stringify(
      buildEndpointSlice({
        name: `bench-${i}`,
        labels: { 'kubernetes.io/service-name': `bench-${i}` },
        endpoints: [{ addresses: [`10.244.${i >> 8}.${i & 255}`], conditions: { ready: true } }],
      }),
    );
  await fill(
    server,
    slices,
    Array.from({ length: OBJECTS }, (_, i) => slice(i)),
  );
  using client = await RawClient.open(server);
  // What is kept of long lists counts as well.
  for (const path of [services, slices, services]) expectStatus(await client.send('GET', path), 200);
  const { rssMegabytes } = await server.readCollected();
  note(
    { what: 'RSS with 10,000 Services and 10,000 EndpointSlices, both listed', goal: 400, unit: 'MB' },
    rssMegabytes,
  );
}

/** Writes as the API is served, over TLS, and over plain HTTP besides: what TLS itself costs. */
async function benchWrites(engine: 'memory' | 'sqlite', goal: number): Promise<void> {
  await using server = await startBenchServer(engine);
  const bodies = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) =>
      JSON.stringify({ metadata: { name: `bench-${from + i}` }, data: { a: 'x'.repeat(500) } }),
    );
  const write = (client: RawClient, body: string): Promise<number> => client.send('POST', configMaps, body);
  await everyBody(server, 32, bodies(0, 15_000), write);
  for (const [at, how] of ['TLS', 'plain HTTP'].entries()) {
    const asked = how === 'TLS' ? server : { ...server, url: server.plainUrl };
    const before = await server.read();
    const own = process.cpuUsage();
    const started = performance.now();
    await everyBody(asked, 32, bodies((at + 1) * 100_000, 12_000), write);
    const milliseconds = performance.now() - started;
    const { user, system } = process.cpuUsage(own);
    const { cpuMs } = await server.read();
    const of = `over ${how}, ${engine}`;
    note({ what: `processor time per write ${of}`, goal: 1e6 / goal, unit: 'us' }, (cpuMs - before.cpuMs) / 12);
    note({ what: `writes/s of 32 clients ${of}`, goal, unit: '/s', more: true }, 12_000_000 / milliseconds);
    const share = (user + system) / 10 / milliseconds;
    note({ what: `share of a processor that the clients take, writing ${of}`, goal: 80, unit: '%' }, share);
  }
}

const benches: Readonly<Record<string, () => Promise<void>>> = {
  get: benchGet,
  list: benchList,
  watch: async () => {
    await benchWatch({ watchers: 1, perSecond: 200, events: 300, at: 0.5, goal: 2, cpuGoal: 500 });
    await benchWatch({ watchers: 100, perSecond: 200, events: 400, at: 0.99, goal: 20, cpuGoal: 20 });
    await benchWatch({ watchers: 1000, perSecond: 50, events: 100, at: 0.99, goal: 100, cpuGoal: 15 });
  },
  start: benchStart,
  memory: benchMemory,
  writes: async () => {
    await benchWrites('memory', 8000);
    await benchWrites('sqlite', 4000);
  },
};

const chosen = process.argv.slice(2);
for (let round = 1; round <= ROUNDS; round++) {
  for (const [name, bench] of Object.entries(benches)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    process.stderr.write(`\rround ${round} of ${ROUNDS}: ${name}        `);
    await bench();
  }
}
process.stderr.write('\r                              \r');
const print = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(1));
process.stdout.write('| measure | median | lowest to highest | goal | of the goal |\n|---|---:|---:|---:|---:|\n');
for (const { measure, values: list } of values.values()) {
  const median = quantile(list, 0.5);
  const ratio = measure.more ? median / measure.goal : measure.goal / median;
  const range = `${print(Math.min(...list))} to ${print(Math.max(...list))}`;
  process.stdout.write(
    `| ${measure.what} | ${print(median)} ${measure.unit} | ${range} | ${print(measure.goal)} | ${ratio.toFixed(2)} |\n`,
  );
}
