import { closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hasCode, TowtankError, UserError } from '../errors/towtank-error.ts';
import { NetworkNamespace } from '../kernel/network-namespace.ts';
import { launchSandbox, type SandboxProcess } from '../kernel/sandbox.ts';
import { listenTcp, localPort } from '../kernel/sockets.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { fromWire } from './control/frames.ts';
import type { StartMessage } from './control/protocol.ts';
import type { StartSpec } from './start-spec.ts';
import {
  type ClusterPaths,
  type ClusterRecord,
  clusterPaths,
  findRunning,
  makeClusterFolder,
  stateDir,
  writeWhole,
} from './state-folder.ts';
import { towtankVersion } from './version.ts';

export interface LaunchOptions {
  readonly config: ClusterConfig;
  /** Applied before the cluster counts as ready. */
  readonly manifests?: readonly string[] | undefined;
  /** The cluster ends with this process. */
  readonly lifeline?: boolean | undefined;
  readonly stateRoot?: string | undefined;
  /** Told as each step of the start is done, with milliseconds since the start. */
  readonly onStep?: ((name: string, ms: number) => void) | undefined;
  /** Milliseconds since the epoch when the user's command began; now when absent. */
  readonly startedAt?: number | undefined;
}

export interface LaunchedCluster {
  readonly record: ClusterRecord;
  readonly paths: ClusterPaths;
}

const START_TIMEOUT_MS = 120_000;

/**
 * Starts a cluster in a sandbox of its own and resolves when it is ready. Rejects with ERR_CLUSTER_EXISTS, ERR_PORT_TAKEN,
 * ERR_STATE_DIR, ERR_NO_USER_NAMESPACES or ERR_CLUSTER_START; nothing is left behind then.
 */
export async function launchCluster(options: LaunchOptions): Promise<LaunchedCluster> {
  const { config } = options;
  const root = options.stateRoot ?? stateDir();
  const paths = clusterPaths(config.name, root);
  if (findRunning(config.name, root)) {
    throw new UserError({
      code: 'ERR_CLUSTER_EXISTS',
      message: `a cluster named ${config.name} is running already`,
      hint: `take it down with: towtank down --name ${config.name}, or choose another --name`,
    });
  }
  rmSync(paths.folder, { recursive: true, force: true });
  makeClusterFolder(paths);
  try {
    return await launchInto(paths, options);
  } catch (error) {
    rmSync(paths.folder, { recursive: true, force: true });
    throw error;
  }
}

async function launchInto(paths: ClusterPaths, options: LaunchOptions): Promise<LaunchedCluster> {
  const { config } = options;
  const listenFd = listenForApi(config.api.port);
  const apiPort = localPort(listenFd);
  const start = await StartSocket.listen(join(paths.folder, 'start.sock'));
  let sandbox: SandboxProcess | undefined;
  try {
    const spec: StartSpec = {
      config,
      paths,
      apiPort,
      startSocket: start.path,
      lifeline: options.lifeline ?? false,
      manifests: options.manifests ?? [],
      startedAt: options.startedAt ?? Date.now(),
    };
    const specFile = join(paths.folder, 'start.json');
    writeWhole(specFile, JSON.stringify(spec));
    const entry = new URL(import.meta.url.endsWith('.ts') ? './supervisor.ts' : './supervisor.js', import.meta.url)
      .pathname;
    sandbox = await launchSandbox({
      entry,
      args: [specFile],
      stateDir: paths.folder,
      listenFds: [listenFd],
      logFile: paths.log,
    });
    const record = recordOf(sandbox, config.name, apiPort);
    writeWhole(paths.record, JSON.stringify(record));
    await waitUntilReady(start, sandbox, paths, options.onStep);
    if (!spec.lifeline) start.close();
    return { record, paths };
  } catch (error) {
    start.close();
    sandbox?.kill();
    await sandbox?.exited;
    throw error;
  } finally {
    closeSync(listenFd);
  }
}

function recordOf(sandbox: SandboxProcess, name: string, apiPort: number): ClusterRecord {
  const { outerPid, innerPid, innerStartTime } = sandbox;
  return {
    name,
    outerPid,
    innerPid,
    innerStartTime,
    apiPort,
    version: towtankVersion(),
    createdAt: new Date().toISOString(),
  };
}

function listenForApi(port: number): number {
  try {
    return listenTcp(NetworkNamespace.current(), { host: '127.0.0.1', port });
  } catch (cause) {
    if (!hasCode(cause, 'ERR_SYSCALL')) throw cause;
    throw new UserError({
      code: 'ERR_PORT_TAKEN',
      message: `cannot listen on 127.0.0.1:${port} for the API: ${cause.message}`,
      hint: 'choose another --api-port, or leave it out to get a free one',
      cause,
    });
  }
}

/** Waits for the ready message; whatever ends the sandbox before it is the reason of failure. */
async function waitUntilReady(
  start: StartSocket,
  sandbox: SandboxProcess,
  paths: ClusterPaths,
  onStep: LaunchOptions['onStep'],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(startFailure(paths, `was not ready after ${START_TIMEOUT_MS / 1000} s`)),
    START_TIMEOUT_MS,
  );
  void sandbox.exited.then(() => reject(startFailure(paths, 'ended before it was ready')));
  start.onMessage((message) => {
    if (message.type === 'step') onStep?.(message.name, message.ms);
    else if (message.type === 'ready') resolve();
    else reject(fromWire(message.error));
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

function startFailure(paths: ClusterPaths, what: string): TowtankError {
  const lines = logTail(paths.log, 30);
  return new TowtankError({
    code: 'ERR_CLUSTER_START',
    message: `the cluster ${what}; the end of its log:\n${lines}`,
    hint: 'towtank doctor shows what this machine lacks',
  });
}

/** The last lines of a log file, indented; a note when there is none. */
export function logTail(path: string, count: number): string {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count);
    return lines.map((line) => `  ${line}`).join('\n');
  } catch (error) {
    return `  (no log: ${(error as Error).message})`;
  }
}

/** The launcher's end of the start conversation. */
class StartSocket {
  readonly path: string;
  readonly #server: Server;
  #socket: Socket | undefined;
  #listener: ((message: StartMessage) => void) | undefined;
  readonly #early: StartMessage[] = [];

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#socket = socket;
      // A supervisor that dies resets the connection; its exit is what counts.
      socket.on('error', () => socket.destroy());
      createInterface({ input: socket }).on('line', (line) => {
        const message = JSON.parse(line) as StartMessage;
        if (this.#listener) this.#listener(message);
        else this.#early.push(message);
      });
    });
  }

  static async listen(path: string): Promise<StartSocket> {
    const server = createServer();
    const start = new StartSocket(path, server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen(path, resolve);
    await promise;
    server.unref();
    return start;
  }

  onMessage(listener: (message: StartMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  close(): void {
    this.#server.close();
    this.#socket?.destroy();
  }
}
