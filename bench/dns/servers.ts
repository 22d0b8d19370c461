import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { KubeObject } from '../../src/kube/resources.ts';
import { COREDNS, CoreDnsPeer } from '../../test/helpers/coredns-peer.ts';
import { buildQuery } from '../../test/helpers/dns-chain.ts';
import { askUdp } from '../../test/helpers/dns-client.ts';

/** A server under measurement, pinned to one core. */
export interface MeasuredServer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

const launcher = new URL('../../towtank', import.meta.url).pathname;

/** The plugins that kubeadm installs; `kubernetes` is where the objects come from, upstream is nobody. */
async function kubeadmPlugins(kubernetes: string): Promise<string> {
  const [health, ready, metrics, nobody] = await Promise.all(Array.from({ length: 4 }, freePort));
  return `errors
health 127.0.0.1:${health} {
  lameduck 5s
}
ready 127.0.0.1:${ready}
kubernetes cluster.local in-addr.arpa ip6.arpa {
  ${kubernetes}
  pods insecure
  fallthrough in-addr.arpa ip6.arpa
  ttl 30
}
prometheus 127.0.0.1:${metrics}
forward . 127.0.0.1:${nobody} {
  max_concurrent 1000
}
cache 30 {
  disable success cluster.local
  disable denial cluster.local
}
loop
reload
loadbalance
`;
}

/** The plugins of NodeLocal DNSCache in front of the server at a port. */
export async function nodeCachePlugins(upstream: number): Promise<string> {
  return `errors
cache {
  success 9984 30
  denial 9984 5
}
prometheus 127.0.0.1:${await freePort()}
forward . 127.0.0.1:${upstream} {
  force_tcp
}
`;
}

interface Placed {
  /** The core it is pinned to. */
  readonly cpu?: number;
  /** A name that is there. */
  readonly probe: string;
  /** Default: those of kubeadm. */
  readonly plugins?: string;
}

/** `towtank dns serve` with a file of objects or a kubeconfig, as a user starts it. */
export async function startTowtank(
  source: readonly string[],
  { folder, cpu, probe, plugins }: Placed & { readonly folder: string },
): Promise<MeasuredServer> {
  const port = await freePort();
  const corefile = join(folder, `Corefile-${port}`);
  writeFileSync(corefile, `. {\n${plugins ?? (await kubeadmPlugins(''))}}\n`);
  const args = ['dns', 'serve', ...source, '--corefile', corefile, '--listen', `127.0.0.1:${port}`];
  const pinned = cpu === undefined ? [launcher] : ['taskset', '-c', String(cpu), launcher];
  const [program, ...words] = [...pinned, ...args];
  const child = spawn(program!, words, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await untilAnswers(port, probe);
  return {
    ...{ name: 'towtank', port, pid: child.pid! },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The CoreDNS at hand, following an API server; undefined when there is none. */
export async function startCoreDns(url: string, { cpu, probe, plugins }: Placed): Promise<MeasuredServer | undefined> {
  if (COREDNS === undefined) return undefined;
  const block = plugins ?? (await kubeadmPlugins(`endpoint ${url}`));
  const peer = await CoreDnsPeer.start(block, cpu === undefined ? {} : { cpu });
  await untilAnswers(peer.port, probe);
  return {
    ...{ name: 'CoreDNS', port: peer.port, pid: peer.pid },
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

/** Megabytes that a process holds: all that is resident, and what is its own, without pages of the program's file. */
export function residentMegabytes(pid: number): { readonly all: number; readonly own: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1000;
  return { all: megabytes('VmRSS'), own: megabytes('RssAnon') };
}

/** The addresses that a server answers. */
export async function addressOf(port: number, name: string): Promise<string | undefined> {
  const reply = await askUdp(buildQuery(`${name}.`, 'A'), { port, timeout: 1000 }).catch(() => undefined);
  if (reply === undefined || reply.readUInt16BE(6) !== 1) return undefined;
  return reply.subarray(-4).join('.');
}

/** A file of objects as `kubectl get -A -o json` prints it. */
export function writeObjects(folder: string, objects: readonly KubeObject[], name = 'objects.json'): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return file;
}

async function untilAnswers(port: number, name: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await addressOf(port, name)) === undefined) {
    if (Date.now() > deadline) throw new Error(`nobody answers for ${name} at port ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
