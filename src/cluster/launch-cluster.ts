import { closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hasCode, TowtankError, UserError } from '../errors/towtank-error.ts';
import { NetworkNamespace } from '../kernel/network-namespace.ts';
import { launchSandbox, type SandboxProcess } from '../kernel/sandbox.ts';
import { listenTcp, localPort } from '../kernel/sockets.ts';
import { chooseTier, isMachineNetwork, type Tier } from '../kernel/tier.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { fitToTier } from './config/fit-to-tier.ts';
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
  /** Default: the full one, and in a container the best that it allows. */
  readonly tier?: Tier | undefined;
  /** Lets others than this machine reach the API, at every address. */
  readonly openApi?: boolean | undefined;
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
  const tier = options.tier ?? (await chooseTier());
  requireTier(tier);
  const config = fitToTier(options.config, tier);
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
    return await launchInto(paths, { ...options, config, tier });
  } catch (error) {
    rmSync(paths.folder, { recursive: true, force: true });
    throw error;
  }
}

function requireTier(tier: Tier): void {
  if (tier !== 'flat' || !isMachineNetwork()) return;
  throw new UserError({
    code: 'ERR_TIER',
    message: "the flat tier changes the network that it stands in, and this is the machine's own",
    hint: 'run it in a container that has a network of its own, or leave --tier away',
  });
}

async function launchInto(
  paths: ClusterPaths,
  options: LaunchOptions & { readonly tier: Tier },
): Promise<LaunchedCluster> {
  const { config, tier } = options;
  const apiHost = options.openApi === true ? '0.0.0.0' : '127.0.0.1';
  const listenFd = listenForApi(apiHost, config.api.port);
  const apiPort = localPort(listenFd);
  const start = await StartSocket.listen(join(paths.folder, 'start.sock'));
  let sandbox: SandboxProcess | undefined;
  try {
    const spec: StartSpec = {
      config,
      paths,
      tier,
      apiPort,
      apiHost,
      apiNames: options.openApi === true ? [hostname(), 'towtank'] : [],
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
      isolation: tier === 'full' ? 'namespaces' : 'none',
    });
    const record = recordOf(sandbox, { name: config.name, apiPort, tier });
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

function recordOf(
  { outerPid, outerStartTime, innerPid, innerStartTime }: SandboxProcess,
  facts: Pick<ClusterRecord, 'name' | 'apiPort' | 'tier'>,
): ClusterRecord {
  return {
    ...facts,
    outerPid,
    outerStartTime,
    innerPid,
    innerStartTime,
    version: towtankVersion(),
    createdAt: new Date().toISOString(),
  };
}

function listenForApi(host: string, port: number): number {
  try {
    return listenTcp(NetworkNamespace.current(), { host, port });
  } catch (cause) {
    if (!hasCode(cause, 'ERR_SYSCALL')) throw cause;
    throw new UserError({
      code: 'ERR_PORT_TAKEN',
      message: `cannot listen on ${host}:${port} for the API: ${cause.message}`,
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
