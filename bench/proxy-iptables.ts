// The proxy in iptables mode, beside the real kube-proxy when KUBE_PROXY names one: from start to rules in the kernel, one
// endpoint changed, memory. Medians; each round in a process and a network namespace of its own.
//   node bench/proxy-iptables.ts [SERVICESxENDPOINTS...]     default 100x10 1000x10; ROUNDS=5
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetworkNamespace } from '../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../src/kernel/runners/iptables-runner.ts';
import { connectTcp } from '../src/kernel/sockets.ts';
import type { EndpointSlice, Service } from '../src/kube/generated/types.ts';
import { SharedInformers } from '../src/kube/informers.ts';
import { resources } from '../src/kube/resources.ts';
import { startProxy } from '../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../src/proxy/service-facts-feed.ts';
import { buildNode } from '../test/helpers/build-objects.ts';
import { FakeKubeClient } from '../test/helpers/fake-kube-client.ts';
import { KUBE_PROXY, startKubeProxy } from '../test/helpers/kube-proxy-peer.ts';
import { systemClock } from '../test/helpers/system-clock.ts';

type Backend = 'nft' | 'legacy';
interface Round {
  readonly startMs: number;
  readonly changeMs: readonly number[];
  readonly megabytes: number;
}

const CHANGES = 7;
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const self = new URL(import.meta.url).pathname;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function service(index: number): Service {
  const clusterIP = `10.96.${index >> 8}.${index & 255}`;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'bench', name: `svc-${index}` },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ['IPv4'],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
    status: { loadBalancer: {} },
  };
}

function slice(index: number, endpoints: number, ready = true): EndpointSlice {
  const address = (number: number): string => `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'bench',
      name: `svc-${index}-1`,
      labels: { 'kubernetes.io/service-name': `svc-${index}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, at) => ({
      addresses: [address(index * endpoints + at)],
      conditions: { ready: at > 0 || ready },
      nodeName: `node-${at}`,
    })),
  };
}

function cluster(services: number, endpoints: number): FakeKubeClient {
  const client = new FakeKubeClient(systemClock);
  client.put(resources.nodes, buildNode({ name: 'node-0' }));
  for (let index = 0; index < services; index++) {
    client.put(resources.services, service(index));
    client.put(resources.endpointSlices, slice(index, endpoints));
  }
  return client;
}

async function ours(backend: Backend, services: number, endpoints: number): Promise<Round> {
  const client = cluster(services, endpoints);
  await using netns = NetworkNamespace.create('ours');
  const runner = createIptablesRunner(netns, { backend });
  let written = Promise.withResolvers<void>();
  const start = performance.now();
  using informers = new SharedInformers(client, systemClock);
  await using proxy = await startProxy({
    client,
    clock: systemClock,
    informers,
    services: feedServiceFacts({ informers }),
    nodeName: 'node-0',
    families: ['ipv4'],
    config: { clusterCIDRs: ['10.128.0.0/9'] },
    addresses: () => [],
    log: ({ message, error }) => process.stderr.write(`${message} ${String(error)}\n`),
    runners: {
      iptables: {
        ...runner,
        restore: async (...args) => {
          await runner.restore(...args);
          written.resolve();
        },
      },
    },
  });
  await proxy.synced;
  const startMs = performance.now() - start;
  const changeMs: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    await pause(Math.max(200, startMs / 10));
    written = Promise.withResolvers();
    const before = performance.now();
    client.put(resources.endpointSlices, slice(services >> 1, endpoints, change % 2 === 1));
    await written.promise;
    changeMs.push(performance.now() - before);
  }
  return { startMs, changeMs, megabytes: process.memoryUsage().rss / 1e6 };
}

async function theirs(backend: Backend, services: number, endpoints: number): Promise<Round> {
  const client = cluster(services, endpoints);
  await using netns = NetworkNamespace.create('theirs');
  process.env['PATH'] = `${programsOf(backend)}:${process.env['PATH']}`;
  const start = Date.now();
  await using peer = startKubeProxy(netns, {
    client,
    nodeName: 'node-0',
    mode: 'iptables',
    flags: ['--cluster-cidr=10.128.0.0/9'],
  });
  const synced = async (after: number): Promise<number> => {
    for (;;) {
      const at = await lastSync(netns);
      if (at > after) return at;
      if (Date.now() - after > 150_000) throw new Error(`kube-proxy does not sync\n${peer.log()}`);
      await pause(2);
    }
  };
  const startMs = (await synced(start)) - start;
  const changeMs: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    // Outside of its least period of one second, so that it acts at once.
    await pause(2500);
    const before = Date.now();
    client.put(resources.endpointSlices, slice(services >> 1, endpoints, change % 2 === 1));
    changeMs.push((await synced(before)) - before);
  }
  const megabytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${peer.pid}/status`, 'utf8'))?.[1]) / 1000;
  return { startMs, changeMs, megabytes };
}

// kube-proxy runs `iptables`: a folder in which that is the backend to measure.
function programsOf(backend: Backend): string {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-'));
  const multi = `/usr/sbin/xtables-${backend}-multi`;
  mkdirSync(folder, { recursive: true });
  for (const stem of ['iptables', 'ip6tables']) {
    for (const tool of ['', '-save', '-restore']) symlinkSync(multi, join(folder, `${stem}${tool}`));
  }
  return folder;
}

/** When kube-proxy last wrote its rules of both families, in milliseconds; 0 before. */
function lastSync(netns: NetworkNamespace): Promise<number> {
  return new Promise((resolve) => {
    const request = get({
      path: '/metrics',
      createConnection: () => connectTcp(netns, { host: '127.0.0.1', port: 10_249 }),
    });
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

function runRound(who: 'ours' | 'theirs', backend: Backend, size: string): Round {
  const sandbox = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const prepare = 'mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec "$@"';
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [
      ...user,
      ...sandbox,
      'sh',
      '-c',
      prepare,
      'sh',
      process.execPath,
      '--max-semi-space-size=4',
      self,
      'round',
      who,
      backend,
      size,
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`a round of ${who} on ${backend} with ${size} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout) as Round;
}

function print(who: string, backend: Backend, size: string, rounds: readonly Round[]): void {
  const columns = [
    median(rounds.map(({ startMs }) => startMs))
      .toFixed(0)
      .padStart(9),
    median(rounds.flatMap(({ changeMs }) => changeMs))
      .toFixed(1)
      .padStart(9),
    median(rounds.map(({ megabytes }) => megabytes))
      .toFixed(0)
      .padStart(7),
  ];
  process.stdout.write(`${who.padEnd(12)}${backend.padEnd(8)}${size.padEnd(10)}${columns.join('')}\n`);
}

const [mode, who, backend, size] = process.argv.slice(2);
if (mode === 'round') {
  const [services = 0, endpoints = 0] = size!.split('x').map(Number);
  const measure = who === 'ours' ? ours : theirs;
  // The helpers' clock does not keep the process alive.
  setInterval(() => {}, 1000);
  process.stdout.write(JSON.stringify(await measure(backend as Backend, services, endpoints)));
  process.exit();
}

const sizes = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['100x10', '1000x10'];
process.stdout.write(`${'proxy'.padEnd(12)}${'on'.padEnd(8)}${'size'.padEnd(10)} start ms change ms  RSS MB\n`);
for (const each of sizes) {
  for (const on of ['nft', 'legacy'] as const) {
    for (const name of KUBE_PROXY === undefined ? (['ours'] as const) : (['ours', 'theirs'] as const)) {
      const rounds = Array.from({ length: ROUNDS }, () => runRound(name, on, each));
      print(name === 'ours' ? 'towtank' : 'kube-proxy', on, each, rounds);
    }
  }
}
for (const leftover of readdirSync(tmpdir())) {
  if (leftover.startsWith('towtank-bench-')) rmSync(join(tmpdir(), leftover), { recursive: true });
}
