// nftables mode at three sizes: start to rules, one endpoint changed, 100 endpoints of 50 Services changed, memory. The whole
// proxy runs, from the objects a watch delivers to the rules in a kernel. With KUBE_PROXY=path the same is done to a real
// kube-proxy, which is fed through an API server on its loopback. Medians of 5; milliseconds.
//   node bench/proxy-nftables.ts [SERVICESxENDPOINTS...]
import { spawnSync } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { links } from '../src/kernel/netlink/links.ts';
import { NetworkNamespace } from '../src/kernel/network-namespace.ts';
import { createNftRunner } from '../src/kernel/runners/nft-runner.ts';
import type { EndpointSlice, Service } from '../src/kube/generated/types.ts';
import { SharedInformers } from '../src/kube/informers.ts';
import { resources } from '../src/kube/resources.ts';
import type { NftRunner } from '../src/netfilter/runner.ts';
import { endpointObjects, serviceObjects } from '../src/proxy/nftables/object-names.ts';
import { startProxy } from '../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../src/proxy/service-facts-feed.ts';
import { buildNode } from '../test/helpers/build-objects.ts';
import { buildServicePort } from '../test/helpers/build-proxy-facts.ts';
import { FakeKubeClient } from '../test/helpers/fake-kube-client.ts';
import { KUBE_PROXY, startKubeProxy } from '../test/helpers/kube-proxy-peer.ts';
import { systemClock } from '../test/helpers/system-clock.ts';

const rounds = 5;
const changes = 200;

interface Size {
  readonly services: number;
  readonly endpoints: number;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
const print = (what: string, values: readonly (readonly [string, number])[]): void => {
  const texts = values.map(([name, value]) => `${name} ${value < 100 ? value.toFixed(2) : value.toFixed(0)}`);
  process.stdout.write(`${what.padEnd(52)} ${texts.join('   ')}\n`);
};

const nameOf = (index: number): string => `svc-${index}`;
const clusterIP = (index: number): string => `10.96.${index >> 8}.${index & 255}`;
const podIP = (service: number, endpoint: number): string => `10.${128 + endpoint}.${service >> 8}.${service & 255}`;

const serviceAt = (index: number): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'bench', name: nameOf(index) },
  spec: {
    type: 'ClusterIP',
    clusterIP: clusterIP(index),
    clusterIPs: [clusterIP(index)],
    ipFamilies: ['IPv4'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  },
});

const sliceAt = (index: number, ips: readonly string[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    namespace: 'bench',
    name: `${nameOf(index)}-a`,
    labels: { 'kubernetes.io/service-name': nameOf(index) },
  },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
});

const ipsOf = (service: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => podIP(service, at));

function loadedClient({ services, endpoints }: Size): FakeKubeClient {
  const client = new FakeKubeClient(systemClock);
  client.put(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  for (let index = 0; index < services; index++) {
    client.put(resources.services, serviceAt(index));
    client.put(resources.endpointSlices, sliceAt(index, ipsOf(index, endpoints)));
  }
  return client;
}

function makeNetns(name: string): NetworkNamespace {
  const netns = NetworkNamespace.create(name);
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

async function startOurs(client: FakeKubeClient, netns: NetworkNamespace, stack: AsyncDisposableStack) {
  const informers = stack.use(new SharedInformers(client, systemClock));
  const { runner, written } = watched(createNftRunner(netns));
  const proxy = stack.use(
    await startProxy({
      client,
      clock: systemClock,
      informers,
      services: feedServiceFacts({ informers }),
      nodeName: 'node-1',
      config: { mode: 'nftables', clusterCIDRs: ['10.128.0.0/9'] },
      families: ['ipv4'],
      runners: { nft: runner },
      addresses: () => ['127.0.0.1', '172.18.0.2'],
      log: ({ message, error }) => {
        throw new Error(message, { cause: error });
      },
    }),
  );
  await proxy.synced;
  return { written };
}

async function measureOurs(size: Size): Promise<void> {
  const label = `${size.services} x ${size.endpoints}`;
  const starts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await using stack = new AsyncDisposableStack();
    const netns = stack.adopt(makeNetns('ours'), (created) => created.delete());
    const client = loadedClient(size);
    const began = performance.now();
    const { written } = await startOurs(client, netns, stack);
    starts.push(performance.now() - began);
    if (round < rounds - 1) continue;
    await measureChanges(label, { client, size, written });
  }
  print(`${label}: start to rules`, [['median', median(starts)]]);
}

interface Running {
  readonly client: FakeKubeClient;
  readonly size: Size;
  readonly written: () => Promise<number>;
}

async function measureChanges(label: string, { client, size, written }: Running): Promise<void> {
  global.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  print(`${label}: memory of this process, objects included`, [
    ['RSS MB', rss / 1e6],
    ['heap MB', heapUsed / 1e6],
  ]);
  const kinds = {
    'one endpoint replaced': (turns: number) => [...ipsOf(turns, size.endpoints - 1), `10.250.${turns & 255}.1`],
    'one endpoint added': (turns: number) => [...ipsOf(turns, size.endpoints), `10.251.${turns & 255}.1`],
    'one endpoint removed': (turns: number) => ipsOf(turns, size.endpoints - 1),
  };
  let at = 0;
  for (const [kind, ips] of Object.entries(kinds)) {
    const times: number[] = [];
    for (let turns = 0; turns < changes; turns++) {
      at = (at + 37) % size.services;
      const done = written();
      const began = performance.now();
      client.put(resources.endpointSlices, sliceAt(at, ips(at)));
      times.push((await done) - began);
      await turn();
    }
    print(`${label}: ${kind}`, [
      ['p50', median(times)],
      ['p99', quantile(times, 0.99)],
    ]);
  }
  const many: number[] = [];
  for (let round = 0; round < 20; round++) {
    const done = written();
    const began = performance.now();
    for (let service = 0; service < 50; service++) {
      const ips = [...ipsOf(service, size.endpoints - 2), `10.252.${round}.${service}`, `10.253.${round}.${service}`];
      client.put(resources.endpointSlices, sliceAt(service, ips));
    }
    many.push((await done) - began);
    await rest();
  }
  print(`${label}: 100 endpoints of 50 Services`, [
    ['p50', median(many)],
    ['p99', quantile(many, 0.99)],
  ]);
}

// After a sync the proxy rests as long as it worked; what comes meanwhile waits, and would be measured twice.
const rest = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100));

// A chain tells that a transaction has been made: kube-proxy 1.30 has one per Service and per endpoint.
async function until(runner: NftRunner, chain: string): Promise<void> {
  for (;;) {
    const fingerprint = await runner.fingerprint!('ip', 'kube-proxy', [chain]);
    if (fingerprint !== undefined && !fingerprint.endsWith('-')) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function measureTheirs(size: Size): Promise<void> {
  const label = `${size.services} x ${size.endpoints}: kube-proxy`;
  const portAt = (index: number) => buildServicePort({ namespace: 'bench', name: nameOf(index), portName: 'http' });
  const starts: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < (size.services > 1000 ? 1 : rounds); round++) {
    await using stack = new AsyncDisposableStack();
    const netns = stack.adopt(makeNetns('theirs'), (created) => created.delete());
    const client = loadedClient(size);
    const runner = createNftRunner(netns);
    const began = performance.now();
    stack.use(
      startKubeProxy(netns, {
        client,
        nodeName: 'node-1',
        mode: 'nftables',
        flags: ['--cluster-cidr=10.128.0.0/9', '--iptables-min-sync-period=1ms'],
      }),
    );
    await until(runner, serviceObjects(portAt(size.services - 1)).cluster);
    starts.push(performance.now() - began);
    for (let turns = 0; turns < (size.services > 1000 ? 1 : 5); turns++) {
      const ip = `10.250.${round}.${turns}`;
      const { chain } = endpointObjects(portAt(turns), { ip, port: 8080 });
      const start = performance.now();
      client.put(resources.endpointSlices, sliceAt(turns, [...ipsOf(turns, size.endpoints - 1), ip]));
      await until(runner, chain);
      times.push(performance.now() - start);
    }
  }
  print(`${label}, start to rules`, [['median', median(starts)]]);
  print(`${label}, one endpoint replaced`, [['median', median(times)]]);
}

function inSandbox(): void {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const self = [process.execPath, '--expose-gc', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const flags = [...user, '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const words = [...flags, 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', '--', ...self];
  const { status } = spawnSync('unshare', words, {
    stdio: 'inherit',
    env: { ...process.env, TOWTANK_BENCH: 'inside' },
  });
  process.exitCode = status ?? 1;
}

if (process.env['TOWTANK_BENCH'] !== 'inside') inSandbox();
else {
  // The proxy's own timers do not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  const words = process.argv.length > 2 ? process.argv.slice(2) : ['1000x10', '5000x10', '10000x5'];
  for (const word of words) {
    const [services = 0, endpoints = 0] = word.split('x').map(Number);
    await measureOurs({ services, endpoints });
    if (KUBE_PROXY !== undefined) await measureTheirs({ services, endpoints });
  }
  clearInterval(alive);
  if (KUBE_PROXY === undefined) process.stdout.write('set KUBE_PROXY to the path of a kube-proxy to compare with it\n');
}
