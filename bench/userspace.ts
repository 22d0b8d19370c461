// Userspace mode beside HAProxy (tcp mode, with and without splice), nginx stream and no proxy at all, all in one run:
//   node bench/userspace.ts [--rounds 5] [--seconds 1] [--connections 9000]
// KUBE_PROXY_USERSPACE=path adds kube-proxy's own userspace mode, which ended with 1.25.
// Each proxy has one thread and one processor, load and backends the other. Needs haproxy, nginx with libnginx-mod-stream, wrk,
// iperf3, taskset. Figures are medians of the rounds; the main one is the proxy's processor time, which a busy machine disturbs least.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { inSandbox } from './proxy/sandbox.ts';
import { median } from './proxy/statistics.ts';
import { KUBE_PROXY_USERSPACE, startKubeProxyUserspace } from './userspace/kube-proxy-userspace.ts';
import {
  BACKEND,
  LOAD_CORE,
  type Peer,
  processorSeconds,
  residentBytes,
  run,
  sharedBytes,
  start,
  startPeers,
  startRelay,
  stopAll,
} from './userspace/peers.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '9000' },
  },
});
const seconds = options.seconds;

/** What one round says of one peer. */
interface Sample {
  gbitPerSecond: number;
  secondsPerGB: number;
  requestsPerSecond: number;
  microsPerRequest: number;
  connectionsPerSecond: number;
  microsPerConnection: number;
  p99Micros: number;
  roundTripsPerSecond: number;
  microsPerRoundTrip: number;
}

async function timed<T>(peer: Peer, work: () => Promise<T>): Promise<{ readonly result: T; readonly cpu: number }> {
  const before = processorSeconds(peer.pid);
  const result = await work();
  return { result, cpu: processorSeconds(peer.pid) - before };
}

async function bulk(peer: Peer): Promise<Pick<Sample, 'gbitPerSecond' | 'secondsPerGB'>> {
  const words = ['iperf3', '-c', peer.host ?? '127.0.0.1', '-p', String(peer.bulk), '-t', seconds, '-J'];
  const { result, cpu } = await timed(peer, () => run(LOAD_CORE, words));
  const { end } = JSON.parse(result) as { end: { sum_received: { bytes: number; bits_per_second: number } } };
  const { bytes, bits_per_second } = end.sum_received;
  return { gbitPerSecond: bits_per_second / 1e9, secondsPerGB: cpu / (bytes / 1e9) };
}

const MICROS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6 };

async function wrk(peer: Peer, connections: number, ...more: readonly string[]) {
  const words = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...more];
  const { result, cpu } = await timed(peer, () =>
    run(LOAD_CORE, [...words, `http://${peer.host ?? '127.0.0.1'}:${peer.http}/`]),
  );
  const [, requests = '0', took = '1'] = /(\d+) requests in ([\d.]+)s/.exec(result) ?? [];
  const [, p99 = '0', unit = 'us'] = /99%\s+([\d.]+)(us|ms|s)/.exec(result) ?? [];
  if (/Socket errors|Non-2xx/.test(result)) process.stderr.write(`${peer.name}: ${result}\n`);
  const count = Number(requests);
  return { perSecond: count / Number(took), micros: (cpu * 1e6) / count, p99: Number(p99) * MICROS[unit]! };
}

async function udp(
  peer: Peer,
  rate = 0,
): Promise<{ readonly perSecond: number; readonly micros: number; readonly lost: number }> {
  const script = new URL('userspace/udp-load.ts', import.meta.url).pathname;
  const words = [process.execPath, script, String(peer.udp), seconds, String(rate)];
  const { result, cpu } = await timed(peer, () => run(LOAD_CORE, words));
  const { sent, answered } = JSON.parse(result) as { sent: number; answered: number };
  return { perSecond: answered / Number(seconds), micros: (cpu * 1e6) / answered, lost: sent - answered };
}

async function sample(peer: Peer): Promise<Sample> {
  const transfer = await bulk(peer);
  const requests = await wrk(peer, 32);
  // Percentiles of few requests are those of whatever else the machine does.
  const quiet = await wrk(peer, 4, `-d${3 * Number(seconds)}s`);
  const connections = await wrk(peer, 32, '-H', 'Connection: close');
  const datagrams = peer.udp === undefined ? { perSecond: Number.NaN, micros: Number.NaN } : await udp(peer);
  return {
    ...transfer,
    requestsPerSecond: requests.perSecond,
    microsPerRequest: requests.micros,
    connectionsPerSecond: connections.perSecond,
    microsPerConnection: connections.micros,
    p99Micros: quiet.p99,
    roundTripsPerSecond: datagrams.perSecond,
    microsPerRoundTrip: datagrams.micros,
  };
}

/** Megabytes of a Node that does nothing: what no program on it can go below. */
async function bareNode(): Promise<number> {
  const node = start(LOAD_CORE, [process.execPath, '-e', 'console.log(); setInterval(() => {}, 1e9)']);
  await once(node.stdout!, 'data');
  const bytes = residentBytes(node.pid!);
  node.kill();
  return bytes / 1e6;
}

/** Memory with no connection and with many that say nothing, in bytes. */
async function idle(peer: Peer, count: number): Promise<{ readonly before: number; readonly after: number }> {
  const before = residentBytes(peer.pid!);
  const script = new URL('userspace/hold-connections.ts', import.meta.url).pathname;
  const holder = start(LOAD_CORE, [process.execPath, script, String(peer.http), String(count)], 'pipe');
  await once(holder.stdout!, 'data');
  const after = residentBytes(peer.pid!);
  holder.stdin!.end();
  await once(holder, 'close');
  return { before, after };
}

type Samples = ReadonlyMap<string, readonly Sample[]>;

function middle(samples: Samples, name: string, key: keyof Sample): number {
  return median((samples.get(name) ?? []).map((each) => each[key]));
}

const shown = (value: number, digits: number): string =>
  Number.isFinite(value) && value !== 0 ? value.toFixed(digits) : '-';

function printPeers(peers: readonly Peer[], samples: Samples): void {
  const columns: readonly (readonly [string, keyof Sample, number])[] = [
    ['Gbit/s', 'gbitPerSecond', 1],
    ['CPU s/GB', 'secondsPerGB', 3],
    ['requests/s', 'requestsPerSecond', 0],
    ['CPU us/request', 'microsPerRequest', 2],
    ['connections/s', 'connectionsPerSecond', 0],
    ['CPU us/connection', 'microsPerConnection', 1],
    ['p99 us', 'p99Micros', 0],
    ['UDP round trips/s', 'roundTripsPerSecond', 0],
    ['CPU us/round trip', 'microsPerRoundTrip', 2],
  ];
  const lines = [
    `| | ${columns.map(([title]) => title).join(' | ')} |`,
    `|---|${columns.map(() => '---|').join('')}`,
    ...peers.map(
      ({ name }) =>
        `| ${name} | ${columns.map(([, key, digits]) => shown(middle(samples, name, key), digits)).join(' | ')} |`,
    ),
  ];
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

interface Claim {
  readonly what: string;
  readonly value: number;
  readonly wanted: string;
  readonly holds: boolean;
}

function claimsOf(samples: Samples): Claim[] {
  const ratio = (key: keyof Sample, other: string): number =>
    middle(samples, 'towtank', key) / middle(samples, other, key);
  const atMost = (what: string, value: number, limit: number): Claim => ({
    what,
    value,
    wanted: `at most ${limit.toFixed(2)}`,
    holds: value <= limit,
  });
  const atLeast = (what: string, value: number, limit: number): Claim => ({
    what,
    value,
    wanted: `at least ${limit.toFixed(2)}`,
    holds: value >= limit,
  });
  const added = (name: string): number => middle(samples, name, 'p99Micros') - middle(samples, 'direct', 'p99Micros');
  return [
    atMost('CPU per GB, of HAProxy', ratio('secondsPerGB', 'HAProxy'), 0.5),
    atMost('CPU per GB, of HAProxy with splice', ratio('secondsPerGB', 'HAProxy splice'), 1),
    atMost('CPU per keep-alive request, of HAProxy', ratio('microsPerRequest', 'HAProxy'), 1),
    atMost('CPU per new connection, of HAProxy', ratio('microsPerConnection', 'HAProxy'), 1.15),
    atLeast('throughput, of HAProxy', ratio('gbitPerSecond', 'HAProxy'), 1),
    atMost('p99 latency added, of HAProxy', added('towtank') / added('HAProxy'), 2),
    atLeast('UDP round trips, of nginx', ratio('roundTripsPerSecond', 'nginx'), 1.2),
    // What lies between is the same direct way: the ratio of the ratios to it.
    ...(samples.has('kube-proxy')
      ? [
          atLeast('throughput, of kube-proxy in userspace mode', ratio('gbitPerSecond', 'kube-proxy'), 1.3),
          atLeast('keep-alive requests, of the same', ratio('requestsPerSecond', 'kube-proxy'), 1.3),
          atLeast('a connection per request, of the same', ratio('connectionsPerSecond', 'kube-proxy'), 1.3),
        ]
      : []),
  ];
}

// Memory is that of a relay which has carried nothing before.
async function memoryClaims(peers: readonly Peer[], count: number): Promise<Claim[]> {
  const { relay, ports } = await startRelay([`tcp:${BACKEND.http}`]);
  const fresh: Peer = { name: 'towtank', pid: relay.pid, http: ports[0]!, bulk: 0, udp: undefined };
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const ours = await idle(fresh, count);
  const theirs = await idle(peers.find(({ name }) => name === 'HAProxy')!, count);
  const each = (ours.after - ours.before) / count;
  const whole = (ours.before + each * 10_000) / 1e6;
  const shared = sharedBytes(relay.pid!) / 1e6;
  const bare = await bareNode();
  const haproxy = ((theirs.after - theirs.before) / count / 1024).toFixed(1);
  return [
    {
      what: `KB per idle connection (HAProxy ${haproxy})`,
      value: each / 1024,
      wanted: 'at most 3.3',
      holds: each <= 3.3 * 1024,
    },
    {
      what: `MB with 10,000 idle connections (${shared.toFixed(0)} of them pages of programs; a bare Node ${bare.toFixed(0)})`,
      value: whole,
      wanted: 'below 60',
      holds: whole < 60,
    },
  ];
}

async function lossClaim(peers: readonly Peer[], samples: Samples): Promise<Claim> {
  const rate = Math.floor(middle(samples, 'towtank', 'roundTripsPerSecond') / 2);
  const { lost } = await udp(peers.find(({ name }) => name === 'towtank')!, rate);
  return { what: `datagrams lost at ${rate}/s, half of that rate`, value: lost, wanted: '0', holds: lost === 0 };
}

function printClaims(claims: readonly Claim[]): void {
  const rows = claims.map(
    ({ what, value, wanted, holds }) => `| ${what} | ${value.toFixed(2)} | ${wanted} | ${holds ? 'yes' : '**no**'} |`,
  );
  process.stdout.write(`| | towtank | wanted | holds |\n|---|---|---|---|\n${rows.join('\n')}\n`);
}

async function main(): Promise<void> {
  spawnSync('ip', ['link', 'set', 'lo', 'up']);
  const peers = [...(await startPeers())];
  if (KUBE_PROXY_USERSPACE === undefined)
    process.stdout.write(
      'Without kube-proxy: KUBE_PROXY_USERSPACE names none that has userspace mode (1.25 or older).\n',
    );
  else peers.push(await startKubeProxyUserspace(KUBE_PROXY_USERSPACE));
  const samples = new Map<string, Sample[]>(peers.map(({ name }) => [name, []]));
  const rounds = Number(options.rounds);
  for (let round = 1; round <= rounds; round++) {
    for (const peer of peers) samples.get(peer.name)!.push(await sample(peer));
    if (process.stderr.isTTY) process.stderr.write(`round ${round} of ${rounds}\n`);
  }
  const processor = cpus()[0]?.model ?? 'processor';
  const head = `${processor}, Linux ${release()}, Node ${process.versions.node}; medians of ${rounds} rounds of ${seconds} s`;
  process.stdout.write(`${head}\n\n`);
  printPeers(peers, samples);
  const memory = await memoryClaims(peers, Number(options.connections));
  printClaims([...claimsOf(samples), await lossClaim(peers, samples), ...memory]);
  stopAll();
  process.exit();
}

if (inSandbox(new URL(import.meta.url).pathname)) await main();
