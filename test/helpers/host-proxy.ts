import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, createApiServer } from '../../src/apiserver/api-server.ts';
import { buildKubeconfig } from '../../src/apiserver/certificates/kubeconfig.ts';
import { createServiceAllocator } from '../../src/controllers/service-allocator/service-allocator.ts';
import type { NetworkNamespace } from '../../src/kernel/network-namespace.ts';
import { type RunningProgram, startProgram } from '../../src/kernel/programs.ts';
import { listenTcp, localPort } from '../../src/kernel/sockets.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { systemClock } from './system-clock.ts';

const entry = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const ADMIN = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };

/** An API server on the loopback of a network namespace, which can go away and come back on its port. */
export interface NamespaceApi extends AsyncDisposable {
  readonly server: ApiServer;
  readonly folder: string;
  readonly kubeconfig: string;
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

/** Serves our API server in a network namespace, without TLS; `folder` is for files of the test. */
export async function serveApiIn(netns: NetworkNamespace): Promise<NamespaceApi> {
  const store = new MemoryStore({ clock: systemClock });
  const server = await createApiServer({
    store,
    clock: systemClock,
    random: Math.random,
    allocator: createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] }),
  });
  const first = listenTcp(netns, { host: '127.0.0.1', port: 0 });
  const port = localPort(first);
  const open = (fd: number): Promise<AsyncDisposable> => server.listen({ at: { fd }, tls: undefined, trusted: ADMIN });
  let listening = await open(first);
  const folder = mkdtempSync(join(tmpdir(), 'towtank-host-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, buildKubeconfig({ name: 'lab', user: 'admin', server: `http://127.0.0.1:${port}` }));
  return {
    server,
    folder,
    kubeconfig,
    goAway: async () => {
      await listening[Symbol.asyncDispose]();
    },
    comeBack: async () => {
      listening = await open(listenTcp(netns, { host: '127.0.0.1', port }));
    },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await store[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** `towtank proxy` in a network namespace. */
export interface HostProxy extends AsyncDisposable {
  readonly program: RunningProgram;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Resolves when its rules are in the kernel; rejects when it ends before. */
  readonly synced: Promise<void>;
}

/** Starts `towtank proxy` with these words. */
export function startHostProxy(netns: NetworkNamespace, words: readonly string[]): HostProxy {
  const program = startProgram({ netns, command: [process.execPath, entry, 'proxy', ...words] });
  let log = '';
  const synced = Promise.withResolvers<void>();
  program.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    if (log.includes('the rules are in the kernel')) synced.resolve();
  });
  program.stdout.resume();
  void program.exited.then(({ exitCode }) => synced.reject(new Error(`the proxy ended with ${exitCode}: ${log}`)));
  // Who does not wait for it looks at the log.
  synced.promise.catch(() => {});
  return {
    program,
    log: () => log,
    synced: synced.promise,
    [Symbol.asyncDispose]: async () => {
      program.kill('SIGKILL');
      await program.exited;
    },
  };
}

/** Runs `towtank proxy` to its end. */
export async function runHostProxy(
  netns: NetworkNamespace,
  words: readonly string[],
): Promise<{ readonly exitCode: number | undefined; readonly stderr: string }> {
  const { program, log } = startHostProxy(netns, words);
  const { exitCode } = await program.exited;
  if (!program.stderr.readableEnded) await new Promise((resolve) => program.stderr.once('close', resolve));
  return { exitCode, stderr: log() };
}
