// Both proxies as programs: how much memory they take, and what they do while nothing happens.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { startProgram } from '../../src/kernel/programs.ts';
import { listenTcp, localPort } from '../../src/kernel/sockets.ts';
import { serveKubeClient } from '../../test/helpers/serve-kube-client.ts';
import { loadedClient, NODE, type Size } from './objects.ts';

const launcher = new URL('../../towtank', import.meta.url).pathname;

/** What a program took. */
export interface Footprint {
  /** Resident megabytes after the start. */
  readonly megabytes: number;
  /** Share of one core, in percent. */
  readonly idlePercent: number;
}

/** Starts `towtank proxy` and looks at it for so many seconds after its rules are in the kernel. */
export async function measureFootprint(mode: 'iptables' | 'nftables', size: Size, seconds: number): Promise<Footprint> {
  await using stack = new AsyncDisposableStack();
  const netns = stack.use(NetworkNamespace.create('footprint'));
  const fd = listenTcp(netns, { host: '127.0.0.1', port: 0 });
  stack.use(serveKubeClient(loadedClient(size), fd));
  const cluster = { server: `http://127.0.0.1:${localPort(fd)}` };
  const contexts = [{ name: 'bench', context: { cluster: 'bench' } }];
  const kubeconfig = { 'current-context': 'bench', clusters: [{ name: 'bench', cluster }], contexts };
  writeFileSync('/run/kubeconfig', JSON.stringify(kubeconfig));
  const words = ['proxy', '--kubeconfig', '/run/kubeconfig', '--node-name', NODE, '--proxy-mode', mode];
  const program = startProgram({ netns, command: [launcher, ...words] });
  stack.defer(async () => {
    program.kill('SIGKILL');
    await program.exited;
  });
  await new Promise<void>((resolve, reject) => {
    let log = '';
    program.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('the rules are in the kernel')) resolve();
    });
    void program.exited.then(() => reject(new Error(log)));
  });
  // It collects garbage for some seconds after its start.
  await pause(20_000);
  return await watchIdle(program.pid, seconds);
}

/** Looks at a program that has nothing to do. */
export async function watchIdle(pid: number, seconds: number): Promise<Footprint> {
  const before = cpuMilliseconds(pid);
  await pause(seconds * 1000);
  const idlePercent = (cpuMilliseconds(pid) - before) / (seconds * 10);
  return { megabytes: residentMegabytes(pid), idlePercent };
}

export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000;
}

/** Processor time of a process and of the programs that it ran to their end, in the kernel's steps of ten milliseconds. */
export function cpuMilliseconds(pid: number | 'self'): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
}
