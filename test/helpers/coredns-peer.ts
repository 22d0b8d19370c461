import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askUdp } from './dns-client.ts';

/** Path of a real CoreDNS, if one is at hand. */
export const COREDNS = process.env['COREDNS'];

/** Why comparisons with the real program are left out. */
export const WITHOUT_COREDNS = 'needs COREDNS=path of its binary';

/** A real CoreDNS on loopback that serves one block. */
export class CoreDnsPeer implements AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  readonly #end: () => Promise<void>;
  readonly #log: () => string;

  private constructor(peer: {
    readonly port: number;
    readonly pid: number;
    readonly end: () => Promise<void>;
    readonly log: () => string;
  }) {
    this.port = peer.port;
    this.pid = peer.pid;
    this.#end = peer.end;
    this.#log = peer.log;
  }

  /** `block` is what stands between the braces of the root zone; files are written next to the Corefile, its working directory. */
  static async start(
    block: string,
    { files = {}, cpu }: { readonly files?: Readonly<Record<string, string>>; readonly cpu?: number } = {},
  ): Promise<CoreDnsPeer> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'towtank-coredns-'));
    writeFileSync(join(folder, 'Corefile'), `.:${port} {\nbind 127.0.0.1\n${block}\n}\n`);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const command = [COREDNS!, '-conf', join(folder, 'Corefile')];
    const [program, ...args] = cpu === undefined ? command : ['taskset', '-c', String(cpu), ...command];
    const child = spawn(program!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    const keep = (chunk: Buffer): void => {
      log = (log + chunk.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const exited = once(child, 'exit');
    const peer = new CoreDnsPeer({
      port,
      pid: child.pid!,
      end: async () => {
        child.kill('SIGKILL');
        await exited;
        rmSync(folder, { recursive: true });
      },
      log: () => log,
    });
    await peer.#untilUp();
    return peer;
  }

  /** What it has printed. */
  get log(): string {
    return this.#log();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #untilUp(): Promise<void> {
    // A query of class CH: refused by every plugin, so that it says only that somebody listens.
    const probe = Buffer.from('000000000001000000000000075645525349 4f4e0442494e440000100003'.replace(' ', ''), 'hex');
    for (let i = 0; i < 100; i++) {
      if ((await askUdp(probe, { port: this.port, timeout: 100 }).catch(() => undefined)) !== undefined) return;
    }
    await this.#end();
    throw new Error(`CoreDNS does not answer:\n${this.#log()}`);
  }
}

// Below the ports that the kernel gives to clients, so that none of them takes it meanwhile.
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]);
    server.close();
    if (free) return port;
  }
}
