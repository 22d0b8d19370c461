// How long the network of a cluster takes to build: nodes, then pods, at three sizes, by rtnetlink and by `ip -batch`, with
// ptp and with bridges, each in a sandbox of its own; medians of 5. Prints milliseconds;
// `cpu/pod` is the processor time of the process, kernel included, which a busy machine does not falsify.
//   node bench/kernel-build.ts [rounds]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Fabric } from '../src/kernel/topology/fabric.ts';
import type { PodAttachment } from '../src/kernel/topology/plan.ts';
import { planNode } from '../test/helpers/kernel-lab.ts';

interface Timing {
  readonly nodes: number;
  readonly pods: number;
  readonly cpuPods: number;
  readonly announce: number;
  readonly detach: number;
}

const sizes = [
  [3, 4],
  [10, 30],
  [20, 50],
  [100, 1],
] as const;

function build(nodes: number, pods: number, cni: PodAttachment): Timing {
  const started = performance.now();
  const fabric = Fabric.create({ name: 'fabric0', addresses: ['172.18.0.1/16', 'fc00:f853:ccd:e793::1/64'], cni });
  const built = fabric.addNodes(Array.from({ length: nodes }, (_, i) => planNode(i + 1)));
  const withNodes = performance.now();
  const cpu = process.cpuUsage();
  const attached = built.flatMap((node, i) =>
    Array.from({ length: pods }, (_, j) =>
      node.attachPod({
        name: `pod-${i}-${j}`,
        addresses: [`10.244.${i + 1}.${j + 2}`, `fd00:10:244:${(i + 1).toString(16)}::${(j + 2).toString(16)}`],
      }),
    ),
  );
  const withPods = performance.now();
  const { user, system } = process.cpuUsage(cpu);
  built[0]!.announce('172.18.200.1');
  const announced = performance.now();
  attached[0]!.detach();
  const detached = performance.now();
  return {
    nodes: (withNodes - started) / nodes,
    pods: (withPods - withNodes) / (nodes * pods),
    cpuPods: (user + system) / 1_000 / (nodes * pods),
    announce: announced - withPods,
    detach: detached - announced,
  };
}

function measureApart(nodes: number, pods: number, way: { readonly cni: string; readonly netlink: string }): Timing {
  const self = fileURLToPath(import.meta.url);
  const prepare = 'mount -t tmpfs tmpfs /run && exec "$@"';
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const words = [
    ...user,
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'sh',
    '-c',
    prepare,
    'sh',
  ];
  const job = [process.execPath, self, 'measure', String(nodes), String(pods), way.cni];
  const env = { ...process.env, TOWTANK_NETLINK: way.netlink };
  const { stdout, stderr } = spawnSync('unshare', [...words, ...job], { env, encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Timing;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function report(rounds: number): void {
  console.log('netlink  cni     nodes x pods   ms/node   ms/pod  cpu/pod  ms total  announce   detach');
  for (const netlink of ['raw', 'ip']) {
    for (const cni of ['ptp', 'bridge']) {
      for (const [nodes, pods] of sizes) {
        if (netlink === 'ip' && nodes > 10) continue;
        const runs = Array.from({ length: rounds }, () => measureApart(nodes, pods, { cni, netlink }));
        const column = (key: keyof Timing) => median(runs.map((run) => run[key]));
        const total = median(runs.map((run) => run.nodes * nodes + run.pods * nodes * pods));
        console.log(
          `${netlink.padEnd(8)} ${cni.padEnd(7)} ${`${nodes} x ${pods}`.padEnd(14)}`,
          [column('nodes'), column('pods'), column('cpuPods'), total, column('announce'), column('detach')]
            .map((ms) => ms.toFixed(2).padStart(8))
            .join(' '),
        );
      }
    }
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === 'measure') {
  const [nodes, pods, cni] = rest;
  process.stdout.write(JSON.stringify(build(Number(nodes), Number(pods), cni as PodAttachment)));
} else {
  report(Number(first ?? 5));
}
