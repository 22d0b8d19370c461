import { closeSync, existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hasCode, UserError } from '../errors/towtank-error.ts';
import { requirePrograms } from '../kernel/doctor/required-programs.ts';
import { type HostSocket, openHostSockets } from '../kernel/host-sockets.ts';
import { NetworkNamespace } from '../kernel/network-namespace.ts';
import { ownNetworks } from '../kernel/own-networks.ts';
import { launchSandbox, type SandboxProcess } from '../kernel/sandbox.ts';
import { listenTcp, localPort } from '../kernel/sockets.ts';
import { chooseTier, requireTier, type Tier } from '../kernel/tier.ts';
import { type ClaimedConfig, claimRanges } from './claim-ranges.ts';
import { avoidOverlap } from './config/avoid-overlap.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { fitToTier } from './config/fit-to-tier.ts';
import { neededPrograms } from './config/needed-programs.ts';
import { continueKept, databasePath, readKept, writeKept } from './kept-cluster.ts';
import { StartSocket } from './start-socket.ts';
import { cleaningVariable, type StartSpec } from './start-spec.ts';
import {
  type ClusterPaths,
  type ClusterRecord,
  clusterPaths,
  findRunning,
  makeClusterFolder,
  removeCluster,
  stateDir,
  writeWhole,
} from './state-folder.ts';
import { familiesOf, resolveStore } from './store-spec.ts';
import { towtankVersion } from './version.ts';
import { waitUntilReady } from './wait-until-ready.ts';

export interface LaunchOptions {
  readonly config: ClusterConfig;
  /** Applied before the cluster counts as ready. */
  readonly manifests?: readonly string[] | undefined;
  /** The cluster ends with this process. */
  readonly lifeline?: boolean | undefined;
  readonly stateRoot?: string | undefined;
  /** Told as each step of the start is done, with milliseconds since the start. */
  readonly onStep?: ((name: string, ms: number) => void) | undefined;
  /** Default: the best that can be had. */
  readonly tier?: Tier | undefined;
  /** Lets others than this machine reach the API, at every address. */
  readonly openApi?: boolean | undefined;
  /** Forgets what is kept of a cluster of this name. */
  readonly fresh?: boolean | undefined;
  /** Ends a start that is not over yet. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch when the user's command began; now when absent. */
  readonly startedAt?: number | undefined;
}

export interface LaunchedCluster {
  readonly record: ClusterRecord;
  readonly paths: ClusterPaths;
  /** As it was carried out: a tier may have narrowed what was left to the default. */
  readonly config: ClusterConfig;
  /** Resolves when its supervisor has ended; only with `lifeline`. */
  readonly ended: Promise<void>;
}

// Megabytes, three of which V8 holds: with its own default, twenty nodes take a hundred more and are no quicker.
const YOUNG_OBJECTS = '--max-semi-space-size=4';
// Threads that help the main thread to collect its young objects make it wait for a processor that others have: a tenth of all
// that a start costs.
const COLLECT_ALONE = '--no-parallel-scavenge';
const FIRST_HANDED_OVER = 3;

/**
 * Starts a cluster in a sandbox of its own and resolves when it is ready; one that is kept goes on with the objects that it had.
 * Rejects with ERR_CLUSTER_EXISTS, ERR_CLUSTER_KEPT, ERR_INVALID_CONFIG, ERR_MISSING_PROGRAM, ERR_STORE_CORRUPT,
 * ERR_STORE_UNAVAILABLE, ERR_PORT_TAKEN, ERR_STATE_DIR, ERR_NO_USER_NAMESPACES, ERR_TIER or ERR_CLUSTER_START; nothing is left behind then.
 */
export async function launchCluster(options: LaunchOptions): Promise<LaunchedCluster> {
  const tier = options.tier ?? (await chooseTier());
  requireTier(tier);
  const { name } = options.config;
  const root = options.stateRoot ?? stateDir();
  const paths = clusterPaths(name, root);
  if (findRunning(name, root)) {
    throw new UserError({
      code: 'ERR_CLUSTER_EXISTS',
      message: `a cluster named ${name} is running already`,
      hint: `take it down with: towtank down --name ${name}, or choose another --name`,
    });
  }
  // A cluster that ends with its maker leaves nothing, and finds nothing.
  const goesOn = options.lifeline !== true && options.fresh !== true;
  const kept = goesOn ? readKept(paths) : undefined;
  const wanted = continueKept(options.config, kept);
  const fitting = fitToTier(wanted, tier);
  if (tier !== 'loopback') requirePrograms(neededPrograms(fitting));
  const { config, descriptors } = placeRanges(fitting, { ...options, tier, isKept: kept !== undefined });
  try {
    removeCluster(paths, goesOn);
    const hadStore = existsSync(paths.store);
    makeClusterFolder(paths);
    try {
      if (options.lifeline !== true && config.store?.engine !== 'memory')
        writeKept(paths, { requested: options.config, config });
      return await launchInto(paths, { ...options, config, tier, claims: descriptors });
    } catch (error) {
      removeCluster(paths, hadStore);
      throw error;
    }
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

// Where the machine's own network is to reach the cluster, or is the cluster's, the two must not have the same addresses.
function placeRanges(
  config: ClusterConfig,
  { tier, openApi, isKept }: Pick<LaunchOptions, 'tier' | 'openApi'> & { readonly isKept: boolean },
): ClaimedConfig {
  if (tier === 'loopback') return claimRanges(config, !isKept);
  const isApart = tier === 'full' && openApi !== true;
  return { config: isApart ? config : avoidOverlap(config, ownNetworks()), descriptors: [] };
}

async function launchInto(
  paths: ClusterPaths,
  options: LaunchOptions & { readonly tier: Tier; readonly claims: readonly number[] },
): Promise<LaunchedCluster> {
  const { config, tier } = options;
  const apiHost = options.openApi === true ? '0.0.0.0' : '127.0.0.1';
  const listenFd = listenForApi(apiHost, config.api.port);
  const engine = config.store ?? { engine: options.lifeline === true ? 'memory' : 'sqlite' };
  const sockets: HostSocket[] = [];
  const apiPort = localPort(listenFd);
  const start = await StartSocket.listen(join(paths.folder, 'start.sock'));
  let sandbox: SandboxProcess | undefined;
  try {
    const store = await resolveStore(engine, databasePath(paths));
    if (store.engine === 'etcd') sockets.push(...openHostSockets(familiesOf(store)));
    const spec: StartSpec = {
      config,
      paths,
      store: store.engine === 'etcd' ? { ...store, sockets: handedOver(sockets) } : store,
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
      execArgv: [YOUNG_OBJECTS, COLLECT_ALONE],
      args: [specFile],
      stateDir: paths.folder,
      listenFds: [listenFd, ...sockets.map(({ fd }) => fd), ...options.claims],
      logFile: paths.log,
      ...(tier === 'full' ? {} : { isolation: 'none', env: cleaningOf(spec) }),
    });
    const record = recordOf(sandbox, { name: config.name, apiPort, tier, engine: store.engine });
    writeWhole(paths.record, JSON.stringify(record));
    await waitUntilReady(start, sandbox, { log: paths.log, onStep: options.onStep, signal: options.signal });
    if (!spec.lifeline) start.close();
    return { record, paths, config, ended: start.closed };
  } catch (error) {
    start.close();
    sandbox?.kill();
    await sandbox?.exited;
    throw error;
  } finally {
    for (const fd of [listenFd, ...sockets.map((socket) => socket.fd)]) closeSync(fd);
  }
}

// What cleans up after a cluster without a sandbox must know it also when its folder is gone.
function cleaningOf(spec: StartSpec): Readonly<Record<string, string>> {
  return { [cleaningVariable]: JSON.stringify({ ...spec, manifests: [] }) };
}

// The sandbox numbers what it is given from 3 on; the API's listener is the first.
function handedOver(sockets: readonly HostSocket[]): readonly HostSocket[] {
  return sockets.map(({ family }, index) => ({ fd: FIRST_HANDED_OVER + 1 + index, family }));
}

function recordOf(
  { outerPid, outerStartTime, innerPid, innerStartTime }: SandboxProcess,
  facts: Pick<ClusterRecord, 'name' | 'apiPort' | 'tier' | 'engine'>,
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
