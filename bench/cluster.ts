// The measures of a whole cluster: how long until it answers, what it needs, what is left. Medians of 5.
//   node bench/cluster.ts            all; or name some: up large pod down crash
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { createCluster, findCluster } from '../src/index.ts';
import type { Service } from '../src/kube/generated/types.ts';
import { allProcesses, processesOf, readHostState } from '../test/helpers/host-state.ts';

const ROUNDS = 5;
const root = new URL('..', import.meta.url).pathname;
const state = mkdtempSync(join(tmpdir(), 'towtank-bench-'));
process.env['TOWTANK_STATE_DIR'] = state;
process.env['NODE_COMPILE_CACHE'] = join(state, 'compile-cache');

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const line = (what: string, values: readonly number[], unit: string, goal: string): void => {
  const all = values.map((value) => value.toFixed(0)).join(' ');
  process.stdout.write(`| ${what} | ${median(values).toFixed(0)} ${unit} | ${goal} | ${all} |\n`);
};

function towtank(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(join(root, 'towtank'), words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`towtank ${words.join(' ')} exited ${status}: ${stderr}`);
  return stdout;
}

async function residentMegabytes(name: string): Promise<number> {
  return (await findCluster(name).status()).memoryBytes / 1e6;
}

const app = (replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: caller}
spec: {containers: [{name: shell, image: busybox}]}
`;

async function benchUp(): Promise<void> {
  const file = join(state, 'app.yaml');
  writeFileSync(file, app(9));
  const times: number[] = [];
  const memory: number[] = [];
  const downs: number[] = [];
  for (let round = 0; round < ROUNDS + 1; round++) {
    const before = performance.now();
    towtank('up', '-q', '--name', 'bench', '--apply', file);
    towtank(
      'exec',
      '--name',
      'bench',
      'caller',
      '--',
      'curl',
      '-sS',
      '--retry',
      '20',
      '--retry-connrefused',
      '--retry-delay',
      '0',
      'http://web/hostname',
    );
    const ms = performance.now() - before;
    const rss = await residentMegabytes('bench');
    const downFrom = performance.now();
    towtank('down', '--name', 'bench');
    // The first round fills the compile cache, as a user's first run does.
    if (round > 0) {
      times.push(ms);
      memory.push(rss);
      downs.push(performance.now() - downFrom);
    }
  }
  line('up: 3 nodes, 10 pods, DNS, Service answers by name', times, 'ms', '< 1000');
  line('  resident memory of the supervisor', memory, 'MB', '< 150');
  line('down', downs, 'ms', '< 200');
}

async function benchLarge(): Promise<void> {
  const times: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = performance.now();
    await using cluster = await createCluster({ name: 'large', nodes: 20, manifests: [app(1000)] });
    await cluster.wait({ resource: 'deployments', name: 'web', for: 'Available', timeoutMs: 120_000 });
    await readyPods(cluster, 1000);
    await cluster.pod('caller').fetch('http://web/hostname');
    times.push(performance.now() - before);
    memory.push(await residentMegabytes('large'));
  }
  line('20 nodes x 50 pods ready', times, 'ms', '< 8000');
  line('  resident memory of the supervisor', memory, 'MB', '< 350');
}

async function readyPods(cluster: Awaited<ReturnType<typeof createCluster>>, count: number): Promise<void> {
  while ((await cluster.status()).pods.ready < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function benchPod(): Promise<void> {
  await using cluster = await createCluster({ name: 'pod', manifests: [app(3)] });
  await cluster.wait({ resource: 'pods', name: 'caller', for: 'Ready' });
  const times: number[] = [];
  for (let round = 0; round < 50; round++) {
    const labels = `{app: further-${round}}`;
    await cluster.apply(
      `{apiVersion: v1, kind: Service, metadata: {name: further-${round}}, spec: {selector: ${labels}, ports: [{port: 80, targetPort: 8080}]}}`,
    );
    const { spec } = await cluster.get<Service>('services', `further-${round}`, 'default');
    const before = performance.now();
    await cluster.apply(
      `{apiVersion: v1, kind: Pod, metadata: {name: further-${round}, labels: ${labels}}, spec: {containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080]}]}}`,
    );
    while (!(await answers(cluster, `http://${spec?.clusterIP}/hostname`)));
    times.push(performance.now() - before);
  }
  line(
    'a further pod answers through its Service (p50 of 50)',
    times.toSorted((a, b) => a - b),
    'ms',
    '< 100',
  );
}

async function answers(cluster: Awaited<ReturnType<typeof createCluster>>, url: string): Promise<boolean> {
  try {
    return (await cluster.pod('caller').fetch(url, { timeoutMs: 1000 })).status === 200;
  } catch {
    // Refused: the rules are not there yet.
    return false;
  }
}

// Each start goes on with the objects of the one that was killed.
async function benchCrash(): Promise<void> {
  const before = readHostState();
  const starts: number[] = [];
  const ends: number[] = [];
  for (let round = 0; round < 20; round++) {
    const begun = performance.now();
    towtank('up', '-q', '--name', 'crash');
    starts.push(performance.now() - begun);
    const killed = performance.now();
    const { innerPid, outerPid } = pidsOf('crash');
    const processes = [outerPid, ...processesOf(innerPid)];
    process.kill(innerPid, 'SIGKILL');
    while (processes.some((pid) => allProcesses().includes(pid)))
      await new Promise((resolve) => setTimeout(resolve, 2));
    ends.push(performance.now() - killed);
  }
  for (let from = 0; from < starts.length; from += 5) {
    line(`up after kill -9, rounds ${from + 1} to ${from + 5}`, starts.slice(from, from + 5), 'ms', 'no slowdown');
  }
  line('from kill -9 until its last process is gone', ends, 'ms', '');
  const after = readHostState();
  const left = Object.keys(before).filter((what) => !isDeepStrictEqual(read(before, what), read(after, what)));
  line(
    'kinds of things that are left on the machine after 20 times',
    [left.length],
    '',
    `0${left.map((what) => ` ${what}`)}`,
  );
}

const read = (state: object, what: string): unknown => (state as Record<string, unknown>)[what];

function pidsOf(name: string): { readonly innerPid: number; readonly outerPid: number } {
  const { innerPid, outerPid } = JSON.parse(readFileSync(join(state, 'clusters', name, 'cluster.json'), 'utf8'));
  return { innerPid, outerPid };
}

const wanted = process.argv.slice(2);
const wants = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
process.stdout.write(
  `${cpus().length} cores, ${cpus()[0]?.model}, Linux ${spawnSync('uname', ['-r'], { encoding: 'utf8' }).stdout.trim()}, Node ${process.version}\n\n| what | median | goal | all |\n|---|---|---|---|\n`,
);
try {
  if (wants('up')) await benchUp();
  if (wants('large')) await benchLarge();
  if (wants('pod')) await benchPod();
  if (wants('crash')) await benchCrash();
} finally {
  for (const name of ['bench', 'crash']) {
    try {
      await findCluster(name).down();
    } catch {
      // Not running, as it should be.
    }
  }
  rmSync(state, { recursive: true, force: true });
}
