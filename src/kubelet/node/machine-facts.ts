import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';

/** What this machine says of itself: every node of the cluster is this machine. */
export interface MachineFacts {
  readonly architecture: string;
  readonly bootID: string;
  readonly kernelVersion: string;
  readonly machineID: string;
  readonly osImage: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Size of the root file system. */
  readonly diskBytes: number;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Reads the facts of this machine. */
export function readMachineFacts(): MachineFacts {
  const osRelease = read('/etc/os-release') || read('/usr/lib/os-release');
  const name = /^PRETTY_NAME="?(?<name>[^"\n]*)"?$/m.exec(osRelease)?.groups?.['name'];
  const { blocks, bsize } = statfsSync('/');
  return {
    architecture: ARCHITECTURES[arch()] ?? arch(),
    bootID: read('/proc/sys/kernel/random/boot_id').trim(),
    kernelVersion: release(),
    machineID: read('/etc/machine-id').trim(),
    osImage: name ?? 'Linux',
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: blocks * bsize,
  };
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
