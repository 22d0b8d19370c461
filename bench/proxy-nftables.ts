// nftables mode beside a real kube-proxy (KUBE_PROXY=path), in one run: start to rules, one endpoint changed, 100 endpoints of 50
// Services changed, new connections, memory, idle. The whole proxy runs, from the objects a watch delivers to the rules in a
// kernel. Prints a Markdown table; medians of 5. Some three minutes; --long also runs kube-proxy five times at all sizes.
//   node bench/proxy-nftables.ts [--long] [SERVICESxENDPOINTS...]
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { links } from '../src/kernel/netlink/links.ts';
import { NetworkNamespace } from '../src/kernel/network-namespace.ts';
import { createNftRunner } from '../src/kernel/runners/nft-runner.ts';
import { SharedInformers } from '../src/kube/informers.ts';
import { resources } from '../src/kube/resources.ts';
import type { NftRunner } from '../src/netfilter/runner.ts';
import { endpointObjects, serviceObjects } from '../src/proxy/nftables/object-names.ts';
import { startProxy } from '../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../src/proxy/service-facts-feed.ts';
import { buildServicePort } from '../test/helpers/build-proxy-facts.ts';
import type { FakeKubeClient } from '../test/helpers/fake-kube-client.ts';
import { deepFreeze } from '../test/helpers/json.ts';
import { KUBE_PROXY, startKubeProxy } from '../test/helpers/kube-proxy-peer.ts';
import { systemClock } from '../test/helpers/system-clock.ts';
import { connectionLab, connectionRows } from './proxy/connection-rows.ts';
import { startGreeter } from './proxy/connections.ts';
import { CLUSTER_CIDR, ipsOf, loadedClient, NODE, nameOf, parseSize, type Size, sliceAt } from './proxy/objects.ts';
import { type Footprint, measureFootprint, watchIdle } from './proxy/programs.ts';
import { inSandbox } from './proxy/sandbox.ts';
import { comparison, limited, median, printTable, quantile, type Row, shown } from './proxy/statistics.ts';

const ROUNDS = 5;
const CHANGES = 200;
const BURSTS = 60;
const MEMORY_SIZE: Size = { services: 5000, endpoints: 10 };
const CONNECTION_SIZE: Size = { services: 10_000, endpoints: 5 };
// Two checks of the rules fall into it.
const IDLE_SECONDS = 60;

interface Ours {
  readonly startMs: number;
  readonly changeMs: readonly number[];
  readonly burstMs: readonly number[];
}

interface Theirs {
  readonly startMs: number;
  readonly changeMs: number;
  readonly footprint: Footprint | undefined;
}

function makeNetns(stack: AsyncDisposableStack): NetworkNamespace {
  const netns = stack.use(NetworkNamespace.create('node'));
  links.apply(netns, [
    { kind: 'addBridge', name: 'eth0', up: true },
    { kind: 'addAddress', link: 'eth0', address: '172.18.0.2/32' },
  ]);
  return netns;
}

// A runner that says when a transaction has been made.
function watched(runner: NftRunner): { readonly runner: NftRunner; readonly written: () => Promise<number> } {
  let waiting: PromiseWithResolvers<number> | undefined;
  const apply: NonNullable<NftRunner['apply']> = async (transaction, options) => {
    await runner.apply!(transaction, options);
    waiting?.resolve(performance.now());
    waiting = undefined;
  };
  return {
    runner: { ...runner, apply },
    written: () => {
      waiting ??= Promise.withResolvers<number>();
      return waiting.promise;
    },
  };
}

async function startOurs(
  client: FakeKubeClient,
  netns: NetworkNamespace,
  stack: AsyncDisposableStack,
): Promise<() => Promise<number>> {
  const informers = stack.use(new SharedInformers(client, systemClock));
  const { runner, written } = watched(createNftRunner(netns));
  const proxy = stack.use(
    await startProxy({
      ...{ client, clock: systemClock, informers, services: feedServiceFacts({ informers }), nodeName: NODE },
      config: { mode: 'nftables', clusterCIDRs: [CLUSTER_CIDR] },
      families: ['ipv4'],
      runners: { nft: runner },
      addresses: () => ['127.0.0.1', '172.18.0.2'],
      log: ({ message, error }) => {
        throw new Error(message, { cause: error });
      },
    }),
  );
  await proxy.synced;
  return written;
}

async function measureOurs(size: Size): Promise<Ours> {
  await using stack = new AsyncDisposableStack();
  const netns = makeNetns(stack);
  const client = loadedClient(size);
  const began = performance.now();
  const written = await startOurs(client, netns, stack);
  const startMs = performance.now() - began;
  const changeMs: number[] = [];
  for (let turn = 0; turn < CHANGES / ROUNDS; turn++) {
    const at = (turn * 37) % size.services;
    const slice = sliceAt(at, [...ipsOf(size, at).slice(0, -1), `10.250.${turn}.1`]);
    changeMs.push(await timed(written, () => client.put(resources.endpointSlices, slice)));
  }
  const burstMs: number[] = [];
  for (let round = 0; round < BURSTS / ROUNDS; round++) {
    const slices = Array.from({ length: 50 }, (_, service) => {
      const fresh = [`10.252.${round}.${service}`, `10.253.${round}.${service}`];
      return deepFreeze(sliceAt(service, [...ipsOf(size, service).slice(0, -2), ...fresh]));
    });
    burstMs.push(await timed(written, () => client.put(resources.endpointSlices, ...slices)));
  }
  return { startMs, changeMs, burstMs };
}

async function timed(written: () => Promise<number>, change: () => unknown): Promise<number> {
  // After a sync the proxy rests as long as it worked; what comes meanwhile waits, and would be measured twice.
  await pause(30);
  const done = written();
  const began = performance.now();
  change();
  return (await done) - began;
}

// A chain tells that a transaction has been made: kube-proxy up to 1.35 has one per Service and per endpoint.
async function until(runner: NftRunner, chain: string): Promise<void> {
  for (;;) {
    const fingerprint = await runner.fingerprint!('ip', 'kube-proxy', [chain]);
    if (fingerprint !== undefined && !fingerprint.endsWith('-')) return;
    await pause(1);
  }
}

async function measureTheirs(size: Size, idleSeconds: number): Promise<Theirs> {
  await using stack = new AsyncDisposableStack();
  const netns = makeNetns(stack);
  const client = loadedClient(size);
  const runner = createNftRunner(netns);
  const portAt = (index: number) => buildServicePort({ namespace: 'bench', name: nameOf(index), portName: 'http' });
  const began = performance.now();
  const flags = [`--cluster-cidr=${CLUSTER_CIDR}`, '--iptables-min-sync-period=1ms'];
  const peer = stack.use(startKubeProxy(netns, { client, nodeName: NODE, mode: 'nftables', flags }));
  await until(runner, serviceObjects(portAt(size.services - 1)).cluster);
  const startMs = performance.now() - began;
  const ip = '10.250.0.1';
  const start = performance.now();
  client.put(resources.endpointSlices, sliceAt(0, [...ipsOf(size, 0).slice(0, -1), ip]));
  await until(runner, endpointObjects(portAt(0), { ip, port: 8080 }).chain);
  const changeMs = performance.now() - start;
  return { startMs, changeMs, footprint: idleSeconds > 0 ? await watchIdle(peer.pid, idleSeconds) : undefined };
}

async function connections(): Promise<Row[]> {
  await using stack = new AsyncDisposableStack();
  const size = CONNECTION_SIZE;
  const lab = stack.use(await connectionLab(size));
  stack.use(await startGreeter(lab, 8080));
  await startOurs(loadedClient(size), lab.node, stack);
  return connectionRows(lab, size, 1.05);
}

async function rowsOf(size: Size, theirRounds: number): Promise<Row[]> {
  const label = `${size.services} x ${size.endpoints}`;
  const ours: Ours[] = [];
  const theirs: Theirs[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await measureOurs(size));
    if (round < theirRounds) theirs.push(await measureTheirs(size, 0));
  }
  const changes = ours.flatMap(({ changeMs }) => changeMs);
  const theirChange = theirs.length === 0 ? undefined : median(theirs.map(({ changeMs }) => changeMs));
  const theirStart = theirs.length === 0 ? undefined : median(theirs.map(({ startMs }) => startMs));
  const single = median(changes);
  const burst = median(ours.flatMap(({ burstMs }) => burstMs));
  const start = median(ours.map(({ startMs }) => startMs));
  return [
    comparison('full sync from nothing', label, { ours: start, theirs: theirStart, unit: 'ms', atMost: 0.4 }),
    limited('one endpoint changed, p50', label, { ours: single, theirs: theirChange, unit: 'ms', below: 5 }),
    limited('one endpoint changed, p99', label, { ours: quantile(changes, 0.99), unit: 'ms', below: 20 }),
    {
      what: '100 endpoints of 50 Services changed',
      size: label,
      ours: `${shown(burst, 'ms')} (${(burst / single).toFixed(1)} single changes)`,
      theirs: '-',
      wanted: 'at most 3 single changes',
      holds: burst / single <= 3,
    },
  ];
}

async function footprintRows(long: boolean): Promise<Row[]> {
  const label = `${MEMORY_SIZE.services} x ${MEMORY_SIZE.endpoints}`;
  const ours = await measureFootprint('nftables', MEMORY_SIZE, IDLE_SECONDS);
  const theirs = KUBE_PROXY && long ? (await measureTheirs(MEMORY_SIZE, IDLE_SECONDS)).footprint : undefined;
  const memory = { ours: ours.megabytes, theirs: theirs?.megabytes, unit: 'MB' };
  const idle = { ours: ours.idlePercent, theirs: theirs?.idlePercent, unit: '% of a core' };
  return [
    limited('memory', label, { ...memory, below: theirs?.megabytes ?? 200 }),
    limited('idle', label, { ...idle, below: 0.1 }),
  ];
}

if (inSandbox(fileURLToPath(import.meta.url))) {
  // The proxy's own timers do not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  const words = process.argv.slice(2).filter((word) => word !== '--long');
  const long = process.argv.includes('--long');
  const sizes = (words.length > 0 ? words : ['1000x10', '5000x10', '10000x5']).map(parseSize);
  const rows: Row[] = [];
  for (const size of sizes) {
    const short = size.services <= 1000 ? ROUNDS : size.services <= 5000 ? 1 : 0;
    rows.push(...(await rowsOf(size, KUBE_PROXY === undefined ? 0 : long ? ROUNDS : short)));
  }
  rows.push(...(await connections()), ...(await footprintRows(long)));
  clearInterval(alive);
  printTable(rows);
  if (KUBE_PROXY === undefined)
    process.stdout.write('\nset KUBE_PROXY to the path of a kube-proxy to compare with it\n');
}
