import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { libc } from '../ffi/libc.ts';
import { runProgram } from '../programs/run-program.ts';
import type { Probe } from './finding.ts';

const descriptorsPerPod = 6;
const descriptorsOfSupervisor = 200;
const enoughDescriptors = 1_024;

/** What can be asked without any privilege or namespace. */
export const machineProbes: readonly Probe[] = [
  {
    name: 'kernel',
    required: true,
    costs: 'older kernels are not tested',
    remedy: 'Linux 5.4 or newer',
    run: () => atLeast(release(), [5, 4]),
  },
  {
    name: 'koffi',
    required: true,
    costs: 'no cluster starts: sockets in namespaces need calls of the C library',
    remedy: 'npm ci with optional packages, on x64 or arm64',
    run: loadKoffi,
  },
  {
    name: 'user namespaces',
    required: process.geteuid?.() !== 0,
    costs: 'clusters need root',
    remedy:
      'see docs/reference/privileges.md: AppArmor on Ubuntu, user.max_user_namespaces, or a container without rights',
    run: tryUserNamespace,
  },
  {
    name: 'file descriptors',
    required: false,
    costs: 'fewer pods: each takes some six descriptors of the supervisor',
    remedy: 'ulimit -Hn 65536, or LimitNOFILE= of the service or container',
    run: describeDescriptors,
  },
  {
    name: 'neighbour table',
    required: false,
    costs: 'pods on bridges (cni: bridge) lose neighbours when very many of them talk',
    remedy: 'sysctl -w net.ipv4.neigh.default.gc_thresh3=16384 on the host: one limit for all namespaces',
    run: describeNeighbourTable,
  },
  {
    name: 'network namespaces',
    required: true,
    costs: 'a namespace for each node and pod is needed',
    remedy: 'sysctl -w user.max_net_namespaces=15000',
    run: () => describeLimit('/proc/sys/user/max_net_namespaces', 100),
  },
];

function atLeast(version: string, [major, minor]: readonly [number, number]): string {
  const [, a = '0', b = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(a) > major || (Number(a) === major && Number(b) >= minor)) return version;
  throw new Error(version);
}

function describeDescriptors(): string {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '0';
  const count = hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
  if (count < enoughDescriptors) throw new Error(`at most ${hard} for one process`);
  return `${hard} for one process: enough for ${Math.floor((count - descriptorsOfSupervisor) / descriptorsPerPod)} pods`;
}

// Only the host's own namespace shows the limit; inside a container it cannot be read and is the host's.
function describeNeighbourTable(): string {
  const limit = readLimit('/proc/sys/net/ipv4/neigh/default/gc_thresh3');
  return limit === undefined
    ? 'not to be seen from here'
    : `${limit} learned entries; those of nodes and pods do not count`;
}

function describeLimit(path: string, least: number): string {
  const limit = readLimit(path);
  if (limit === undefined) return 'no limit';
  if (limit < least) throw new Error(`at most ${limit}`);
  return `at most ${limit}`;
}

function readLimit(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

async function tryUserNamespace(): Promise<string> {
  const { exitCode, stderr } = await runProgram({ command: ['unshare', '--user', '--map-root-user', 'true'] });
  if (exitCode !== 0) throw new Error(stderr.trim());
  return 'can be made';
}

function loadKoffi(): string {
  libc();
  return `loads on ${process.platform}-${process.arch}`;
}
