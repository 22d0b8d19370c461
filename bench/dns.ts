// Cluster DNS on one core beside CoreDNS with the plugins of kubeadm: answers in a second, time of an answer, memory, and
// how long a change of the API takes to be answered. Both servers run at once and are asked in turn. Medians of 5; needs
// dnsperf; with COREDNS=path the same is done to a real CoreDNS.
//   COREDNS=path node bench/dns.ts [--seconds 2] [rate tcp cache latency change load]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { WITHOUT_COREDNS } from '../test/helpers/coredns-peer.ts';
import { KubeApiStub } from '../test/helpers/kube-api-stub.ts';
import { measureChanges } from './dns/changes.ts';
import { measureLargeZone } from './dns/large-zone.ts';
import { type Load, runLoad } from './dns/load.ts';
import { buildObjects, hitQuestions, mixedQuestions, nameOf } from './dns/objects.ts';
import {
  type MeasuredServer,
  nodeCachePlugins,
  residentMegabytes,
  startCoreDns,
  startTowtank,
  writeObjects,
} from './dns/servers.ts';
import { percentile, printRow, printTitle } from './dns/table.ts';

const ROUNDS = 5;
const SERVICES = 5000;
const SERVER_CPU = 0;
const CLIENT_CPU = 1;
/** Queries in a second where the time of an answer is measured. */
const STEADY = 5000;
/** A machine that halts for 20 ms is the tail of the round that it halts in: of many short rounds, few are hit. */
const SHORT = { rounds: 21, seconds: 0.5 };

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '2' } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const wants = (part: string): boolean => positionals.length === 0 || positionals.includes(part);

async function main(): Promise<void> {
  if (spawnSync('dnsperf', ['-h']).error !== undefined) throw new Error('dnsperf is missing (Debian: dnsperf)');
  if (cpus().length < 2) throw new Error('needs two cores: one for the server, one for who asks');
  spawnSync('taskset', ['-cp', String(CLIENT_CPU), String(process.pid)]);
  // Both servers and who asks go before whatever else this machine does, where that is allowed.
  if (process.getuid?.() === 0) setPriority(-19);
  const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-'));
  try {
    printTitle(`${SERVICES} Services, one core, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`);
    await compareServers(folder);
    if (wants('load')) await measureLargeZone(ROUNDS);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function compareServers(folder: string): Promise<void> {
  const objects = buildObjects(SERVICES);
  await using stack = new AsyncDisposableStack();
  const api = stack.use(await KubeApiStub.start(objects));
  const where = { folder, cpu: SERVER_CPU, probe: nameOf(0) };
  const own = stack.use(await startTowtank(['-f', writeObjects(folder, objects)], where));
  const peer = await startCoreDns(api.url, where);
  if (peer === undefined) process.stdout.write(`(without CoreDNS: ${WITHOUT_COREDNS})\n`);
  else stack.use(peer);
  const servers = peer === undefined ? [own] : [own, peer];
  const hits = join(folder, 'hits');
  const mix = join(folder, 'mix');
  writeFileSync(hits, hitQuestions(SERVICES));
  writeFileSync(mix, mixedQuestions(SERVICES));
  const load = (
    server: MeasuredServer,
    file: string,
    more: { tcp?: boolean; at?: number; seconds?: number } = {},
  ): Promise<Load> => runLoad({ port: server.port, file, seconds, cpu: CLIENT_CPU, ...more });
  const rates = async (title: string, file: string, more = {}): Promise<void> => {
    const rounds = await inTurn(servers, async (server) => (await load(server, file, more)).rate);
    printRow(`${title}, answers in a second`, rounds, { goal: 'at least 2.0 times', atLeast: 2 });
  };
  // Once unmeasured: caches and compilers warm up.
  for (const server of servers) for (const file of [hits, mix]) await load(server, file);
  if (wants('rate')) {
    await rates('addresses', hits);
    await rates('40 % A, 40 % AAAA without one, 20 % missing', mix);
  }
  if (wants('tcp')) await rates('addresses over TCP', hits, { tcp: true });
  if (wants('cache')) await measureNodeCache(own.port, where, (server) => load(server, hits));
  if (wants('latency'))
    await measureLatency(servers, (server) => load(server, mix, { at: STEADY, seconds: SHORT.seconds }));
  const memory = servers.map(({ pid }) => residentMegabytes(pid));
  printRow(
    'memory after it, resident, MB',
    memory.map(({ all }) => [all]),
    { goal: 'under 80', under: 80 },
  );
  printRow(
    'of it not pages of the program file, MB',
    memory.map(({ own: mine }) => [mine]),
    { goal: 'printed' },
  );
  if (wants('change')) await measureChanges(api, { folder, peer, cpu: SERVER_CPU, rounds: ROUNDS });
}

/** The same names through a cache in front of the server at `upstream`; both caches are warm. */
async function measureNodeCache(
  upstream: number,
  where: { readonly folder: string; readonly cpu: number; readonly probe: string },
  load: (server: MeasuredServer) => Promise<Load>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const empty = writeObjects(where.folder, [], 'empty.json');
  const own = stack.use(await startTowtank(['-f', empty], { ...where, plugins: await nodeCachePlugins(upstream) }));
  const peer = await startCoreDns('', { ...where, plugins: await nodeCachePlugins(upstream) });
  if (peer !== undefined) stack.use(peer);
  const servers = peer === undefined ? [own] : [own, peer];
  for (const server of servers) await load(server);
  const rounds = await inTurn(servers, async (server) => (await load(server)).rate);
  printRow('addresses from a NodeLocal cache, answers in a second', rounds, { goal: 'printed' });
}

async function measureLatency(
  servers: readonly MeasuredServer[],
  load: (server: MeasuredServer) => Promise<Load>,
): Promise<void> {
  const schedule = (...how: readonly string[]): void => {
    for (const { pid } of servers) spawnSync('chrt', ['-a', ...how, String(pid)]);
  };
  // Ahead of whatever else this machine does, where that is allowed: a tail is soon that of somebody else's work.
  schedule('-f', '-p', '10');
  const rounds = await inTurn(servers, async (server) => (await load(server)).latencies, SHORT.rounds);
  schedule('-o', '-p', '0');
  const at = (share: number): number[][] => rounds.map((of) => of.map((latencies) => percentile(latencies, share)));
  printRow(`time of an answer at ${STEADY} in a second, p50 of ${SHORT.rounds} rounds, us`, at(0.5), {
    goal: 'not above',
    atMost: 1,
  });
  printRow('the same, p99, us', at(0.99), { goal: 'at most half', atMost: 0.5 });
}

/** Rounds of each server, taken in turn. */
async function inTurn<T>(
  servers: readonly MeasuredServer[],
  measure: (server: MeasuredServer) => Promise<T>,
  count = ROUNDS,
): Promise<readonly (readonly T[])[]> {
  const rounds: T[][] = servers.map(() => []);
  for (let round = 0; round < count; round++) {
    for (const [i, server] of servers.entries()) rounds[i]!.push(await measure(server));
  }
  return rounds;
}

await main();
