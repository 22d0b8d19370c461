// iptables mode beside a real kube-proxy (KUBE_PROXY=path), in one run and on both back ends: start to rules, one endpoint
// changed (both by the clock and in processor time, programs that are run included), memory, idle. The whole proxy runs, from
// the objects a watch delivers to the rules in a kernel; each round in a process and a network namespace of its own. Prints a
// Markdown table; medians of 5, beyond 1,000 Services of 3. Some three minutes; --long also measures the larger sizes and new
// connections. kube-proxy takes minutes on iptables-nft beyond 1,000 Services: it is started once and given up after two.
//   node bench/proxy-iptables.ts [--long] [SERVICESxENDPOINTS...]
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NetworkNamespace } from '../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../src/kernel/runners/iptables-runner.ts';
import { connectTcp } from '../src/kernel/sockets.ts';
import { SharedInformers } from '../src/kube/informers.ts';
import { resources } from '../src/kube/resources.ts';
import type { IptablesRunner } from '../src/netfilter/runner.ts';
import { startProxy } from '../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../src/proxy/service-facts-feed.ts';
import type { FakeKubeClient } from '../test/helpers/fake-kube-client.ts';
import { KUBE_PROXY, startKubeProxy } from '../test/helpers/kube-proxy-peer.ts';
import { systemClock } from '../test/helpers/system-clock.ts';
import { connectionLab, connectionRows } from './proxy/connection-rows.ts';
import { startGreeter } from './proxy/connections.ts';
import { CLUSTER_CIDR, ipsOf, loadedClient, NODE, parseSize, type Size, sliceAt } from './proxy/objects.ts';
import { cpuMilliseconds, measureFootprint } from './proxy/programs.ts';
import { sandboxed } from './proxy/sandbox.ts';
import { comparison, limited, median, printTable, type Row } from './proxy/statistics.ts';

type Backend = 'nft' | 'legacy';

/** Milliseconds by the clock and of processor time. */
interface Spent {
  readonly ms: number;
  readonly cpuMs: number;
}

interface Round {
  /** At least so long where it was given up. */
  readonly start: Spent;
  readonly gaveUp?: boolean;
  readonly changes: readonly Spent[];
  /** Table nat replaced by itself, an empty chain more or less: what a change costs the kernel on iptables-legacy. */
  readonly replaced?: readonly Spent[];
}

const PATIENCE_MS = 120_000;
const CHANGES = 3;
// Two of the checks whether somebody removed the rules, which come every 30 seconds.
const IDLE_SECONDS = 60;
const CONNECTION_SIZE: Size = { services: 10_000, endpoints: 5 };
const FOLDERS = 'towtank-bench-';
const self = fileURLToPath(import.meta.url);

async function startOurs(
  client: FakeKubeClient,
  iptables: IptablesRunner,
  stack: AsyncDisposableStack,
): Promise<{ readonly synced: Promise<void> }> {
  const informers = stack.use(new SharedInformers(client, systemClock));
  return stack.use(
    await startProxy({
      ...{ client, clock: systemClock, informers, services: feedServiceFacts({ informers }), nodeName: NODE },
      families: ['ipv4'],
      config: { clusterCIDRs: [CLUSTER_CIDR] },
      addresses: () => [],
      log: ({ message, error }) => {
        throw new Error(message, { cause: error });
      },
      runners: { iptables },
    }),
  );
}

// One endpoint of a Service in the middle is replaced, or comes back.
const changed = (size: Size, change: number) => {
  const at = size.services >> 1;
  const ips = ipsOf(size, at);
  return sliceAt(at, change % 2 === 0 ? [...ips.slice(0, -1), '10.250.0.1'] : ips);
};

async function ours(backend: Backend, size: Size): Promise<Round> {
  await using stack = new AsyncDisposableStack();
  const client = loadedClient(size);
  const netns = stack.use(NetworkNamespace.create('ours'));
  const runner = createIptablesRunner(netns, { backend });
  let written = Promise.withResolvers<void>();
  const restore: IptablesRunner['restore'] = async (...args) => {
    await runner.restore(...args);
    written.resolve();
  };
  const sinceStart = stopwatch('self');
  const proxy = await startOurs(client, { ...runner, restore }, stack);
  await proxy.synced;
  const start = sinceStart();
  const changes: Spent[] = [];
  for (let change = 0; change < CHANGES; change++) {
    // The proxy rests as long as its last sync took.
    await pause(change === 0 ? 1500 : 1000);
    written = Promise.withResolvers();
    const sinceChange = stopwatch('self');
    client.put(resources.endpointSlices, changed(size, change));
    await written.promise;
    changes.push(sinceChange());
  }
  if (backend === 'nft') return { start, changes };
  const replaced: Spent[] = [];
  for (let change = 0; change < CHANGES; change++) {
    await pause(1000);
    const sinceChange = stopwatch('self');
    const command = change % 2 === 0 ? ':BENCH - [0:0]' : '-X BENCH';
    await runner.restore('ipv4', `*nat\n${command}\nCOMMIT\n`, { noflush: true });
    replaced.push(sinceChange());
  }
  return { start, changes, replaced };
}

function stopwatch(pid: number | 'self'): () => Spent {
  const [at, cpu] = [performance.now(), cpuMilliseconds(pid)];
  return () => ({ ms: performance.now() - at, cpuMs: cpuMilliseconds(pid) - cpu });
}

async function theirs(backend: Backend, size: Size): Promise<Round> {
  await using stack = new AsyncDisposableStack();
  const client = loadedClient(size);
  const netns = stack.use(NetworkNamespace.create('theirs'));
  process.env['PATH'] = `${programsOf(backend)}:${process.env['PATH']}`;
  const began = Date.now();
  const flags = [`--cluster-cidr=${CLUSTER_CIDR}`];
  const peer = stack.use(startKubeProxy(netns, { client, nodeName: NODE, mode: 'iptables', flags }));
  // Undefined when its time is up.
  const synced = async (after: number): Promise<number | undefined> => {
    for (;;) {
      const at = await lastSync(netns);
      if (at > after) return at;
      if (Date.now() - after > PATIENCE_MS) return undefined;
      await pause(2);
    }
  };
  const firstSync = await synced(began);
  const start = { ms: (firstSync ?? Date.now()) - began, cpuMs: cpuMilliseconds(peer.pid) };
  if (firstSync === undefined) return { start, gaveUp: true, changes: [] };
  const changes: Spent[] = [];
  for (let change = 0; change < CHANGES; change++) {
    // Outside of its least period of one second, so that it acts at once.
    await pause(1500);
    const before = Date.now();
    const cpuBefore = cpuMilliseconds(peer.pid);
    client.put(resources.endpointSlices, changed(size, change));
    const at = await synced(before);
    if (at === undefined) throw new Error(`kube-proxy does not sync\n${peer.log()}`);
    changes.push({ ms: at - before, cpuMs: cpuMilliseconds(peer.pid) - cpuBefore });
  }
  return { start, changes };
}

// kube-proxy runs `iptables`: a folder in which that is the back end to measure.
function programsOf(backend: Backend): string {
  const folder = mkdtempSync(join(tmpdir(), FOLDERS));
  for (const stem of ['iptables', 'ip6tables']) {
    for (const tool of ['', '-save', '-restore'])
      symlinkSync(`/usr/sbin/xtables-${backend}-multi`, join(folder, `${stem}${tool}`));
  }
  return folder;
}

/** When kube-proxy last wrote its rules of both families, in milliseconds; 0 before. */
function lastSync(netns: NetworkNamespace): Promise<number> {
  return new Promise((resolve) => {
    const createConnection = () => connectTcp(netns, { host: '127.0.0.1', port: 10_249 });
    const request = get({ path: '/metrics', createConnection });
    request.on('error', () => resolve(0));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => {
        const seconds = /^kubeproxy_sync_proxy_rules_last_timestamp_seconds (\S+)$/m.exec(text)?.[1];
        resolve(Number(seconds ?? 0) * 1000);
      });
    });
  });
}

async function connections(backend: Backend): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await connectionLab(CONNECTION_SIZE));
  stack.use(await startGreeter(lab, 8080));
  const proxy = await startOurs(loadedClient(CONNECTION_SIZE), createIptablesRunner(lab.node, { backend }), stack);
  await proxy.synced;
  return connectionRows(lab, CONNECTION_SIZE, Number.POSITIVE_INFINITY).map((row) => ({
    ...row,
    what: `iptables-${backend}: ${row.what}`,
    wanted: 'the price of walking the chains, as with kube-proxy',
    holds: undefined,
  }));
}

// Runs one measurement in a process and namespaces of its own.
function inRound<T>(words: readonly string[]): T {
  const { status, stdout, stderr } = sandboxed([self, 'round', ...words], 'pipe');
  if (status === 0) return JSON.parse(String(stdout)) as T;
  throw new Error(`${words.join(' ')} ended with ${status}:\n${String(stderr)}`);
}

async function runRound([what, backend, word]: readonly string[]): Promise<unknown> {
  // Timers of the helpers' clock do not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  const on = backend as Backend;
  try {
    if (what === 'ours') return await ours(on, parseSize(word!));
    if (what === 'theirs') return await theirs(on, parseSize(word!));
    if (what === 'connections') return await connections(on);
    return await measureFootprint('iptables', parseSize(word!), IDLE_SECONDS);
  } finally {
    clearInterval(alive);
  }
}

interface Comparison {
  readonly of: (round: Round) => readonly Spent[];
  /** What it is compared with, if not the same. */
  readonly theirsOf?: Comparison['of'];
  readonly atMost: number;
}

function rowsOf(backend: Backend, word: string): Row[] {
  const size = parseSize(word);
  const label = `${size.services} x ${size.endpoints}`;
  const isLarge = size.services > 1000;
  const count = isLarge ? 3 : 5;
  const theirCount = KUBE_PROXY === undefined ? 0 : isLarge && backend === 'nft' ? 1 : count;
  const rounds = { ours: [] as Round[], theirs: [] as Round[] };
  for (let round = 0; round < count; round++) {
    rounds.ours.push(inRound(['ours', backend, word]));
    if (round < theirCount) rounds.theirs.push(inRound(['theirs', backend, word]));
  }
  const start: Comparison = { of: (round) => [round.start], atMost: backend === 'nft' ? 0.2 : 0.8 };
  const change: Comparison = { of: (round) => round.changes, atMost: 0.5 };
  // The least that a change can take, beside all of kube-proxy's.
  const bare: Comparison = { of: (round) => round.replaced ?? [], theirsOf: change.of, atMost: 0.5 };
  const compare = (what: string, { of, theirsOf = of, atMost }: Comparison, field: keyof Spent): Row => {
    const values = (from: readonly Round[], spentBy: Comparison['of']) =>
      from.flatMap(spentBy).map((spent) => spent[field]);
    const unit = field === 'ms' ? 'ms' : 'ms of processor time';
    const theirs = rounds.theirs.length === 0 ? undefined : median(values(rounds.theirs, theirsOf));
    const ours = median(values(rounds.ours, of));
    return comparison(`iptables-${backend}: ${what}`, label, { ours, theirs, unit, atMost });
  };
  const fields = ['ms', 'cpuMs'] as const;
  const startRows = fields.map((field) => compare('full sync from nothing', start, field));
  if (rounds.theirs.some(({ gaveUp }) => gaveUp)) return startRows.slice(0, 1).map(gaveUp);
  return [
    ...startRows,
    ...fields.map((field) => compare('one endpoint changed', change, field)),
    ...(backend === 'nft' ? [] : fields.map((field) => compare('of that, the table replaced by itself', bare, field))),
  ];
}

// What it had taken until then is the least that it takes; the processor time of the program that it waits for is not known.
const gaveUp = (row: Row): Row => ({ ...row, theirs: `given up after ${row.theirs}` });

const [first, ...rest] = process.argv.slice(2);
if (first === 'round') {
  process.stdout.write(JSON.stringify(await runRound(rest)));
  process.exit();
}
const long = process.argv.includes('--long');
const given = process.argv.slice(2).filter((word) => word !== '--long');
const sizes = given.length > 0 ? given : long ? ['1000x10', '5000x10', '10000x5'] : ['1000x10'];
const rows = sizes.flatMap((size) => [...rowsOf('nft', size), ...rowsOf('legacy', size)]);
if (long) rows.push(...inRound<Row[]>(['connections', 'nft']), ...inRound<Row[]>(['connections', 'legacy']));
const footprint = inRound<{ readonly megabytes: number; readonly idlePercent: number }>([
  'footprint',
  'nft',
  '5000x10',
]);
rows.push(limited('memory', '5000 x 10', { ours: footprint.megabytes, unit: 'MB', below: 200 }));
rows.push(limited('idle', '5000 x 10', { ours: footprint.idlePercent, unit: '% of a core', below: 0.1 }));
printTable(rows);
if (KUBE_PROXY === undefined) process.stdout.write('\nset KUBE_PROXY to the path of a kube-proxy to compare with it\n');
for (const leftover of readdirSync(tmpdir())) {
  if (leftover.startsWith(FOLDERS)) rmSync(join(tmpdir(), leftover), { recursive: true });
}
