import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from './find-program.ts';

/** Path of an etcd: `ETCD`, or the one on the PATH; undefined when there is none. */
export function findEtcd(): string | undefined {
  return findProgram(process.env['ETCD'] || 'etcd');
}

/** Why the tests with etcd are skipped; printed once for each file that does. */
export const NO_ETCD = 'no etcd: set ETCD=/path/to/etcd, or put one on the PATH (Debian: apt install etcd-server)';

export interface EtcdOptions {
  readonly args?: readonly string[];
  /** What a restart finds again; default a folder of its own that is removed at the end. */
  readonly dataDir?: string;
  readonly clientPort?: number;
  readonly scheme?: 'http' | 'https';
}

/** An etcd of one member on loopback, with a folder of its own. */
export class EtcdPeer implements AsyncDisposable {
  readonly clientPort: number;
  readonly dataDir: string;
  /** URL for its clients. */
  readonly endpoint: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, endpoint: string, dataDir: string) {
    this.#child = child;
    this.endpoint = endpoint;
    this.clientPort = Number(new URL(endpoint).port);
    this.dataDir = dataDir;
  }

  /** Resolves when it serves. */
  static async start(etcd: string, options: EtcdOptions = {}): Promise<EtcdPeer> {
    const { clientPort = await freePort(), dataDir = mkdtempSync(join(tmpdir(), 'towtank-etcd-')) } = options;
    const peer = await freePort();
    const endpoint = `${options.scheme ?? 'http'}://127.0.0.1:${clientPort}`;
    const args = [
      ...['--data-dir', dataDir, '--listen-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
      ...['--initial-cluster', `default=http://127.0.0.1:${peer}`],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      // Who is alone waits only for itself before it is elected.
      ...['--heartbeat-interval=10', '--election-timeout=100'],
      ...(options.args ?? []),
    ];
    return new EtcdPeer(await startEtcd([etcd, ...args]), endpoint, dataDir);
  }

  /** Ends it at once, keeping its data. */
  async kill(): Promise<void> {
    await killEtcd(this.#child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Runs an etcd and resolves when it serves clients. */
export async function startEtcd(command: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (/serving (insecure )?client|ready to serve client requests/.test(line)) resolve();
  });
  child.on('error', reject);
  child.on('close', (code, signal) =>
    reject(new Error(`etcd ended (${code ?? signal}):\n${lines.slice(-20).join('\n')}`)),
  );
  await promise;
  return child;
}

/** Ends an etcd at once. */
export async function killEtcd(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
