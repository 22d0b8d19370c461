import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors/towtank-error.ts';
import { processStartTime } from '../kernel/sandbox.ts';
import type { Tier } from '../kernel/tier.ts';
import type { StoreEngine } from './config/store-config.ts';

/** What a running cluster leaves in its folder so that later commands find it. */
export interface ClusterRecord {
  readonly name: string;
  /** Process outside of the sandbox that ends with it. */
  readonly outerPid: number;
  readonly outerStartTime: string | undefined;
  readonly tier: Tier;
  /** The supervisor as the host numbers it: pid 1 of the sandbox, whose death takes everything with it. */
  readonly innerPid: number;
  /** `processStartTime` of innerPid: tells a reused pid from ours. */
  readonly innerStartTime: string;
  readonly apiPort: number;
  readonly engine: StoreEngine;
  readonly version: string;
  readonly createdAt: string;
}

/** The paths of one cluster. Everything that towtank writes outside the kernel is below `folder`. */
export interface ClusterPaths {
  readonly folder: string;
  readonly record: string;
  readonly kubeconfig: string;
  readonly log: string;
  readonly socket: string;
  /** Folder of what outlives the cluster: its store, unless that is elsewhere. */
  readonly store: string;
}

// sun_path holds 108 bytes with its terminating zero.
const LONGEST_SOCKET_PATH = 107;

/** $TOWTANK_STATE_DIR, or $XDG_STATE_HOME/towtank, or ~/.local/state/towtank. */
export function stateDir(env: NodeJS.ProcessEnv = process.env): string {
  return (
    env['TOWTANK_STATE_DIR'] || join(env['XDG_STATE_HOME'] || join(env['HOME'] || homedir(), '.local/state'), 'towtank')
  );
}

export function clusterPaths(name: string, root = stateDir()): ClusterPaths {
  const folder = join(root, 'clusters', name);
  const file = (base: string): string => join(folder, base);
  return {
    folder,
    record: file('cluster.json'),
    kubeconfig: file('kubeconfig'),
    log: file('supervisor.log'),
    socket: file('control.sock'),
    store: file('store'),
  };
}

/** Makes the folder (mode 0700). Throws ERR_STATE_DIR when it cannot be written or its path is too long for a socket. */
export function makeClusterFolder(paths: ClusterPaths): void {
  const hint = 'set TOWTANK_STATE_DIR to a short path on a disk with room that you may write to';
  if (Buffer.byteLength(paths.socket) > LONGEST_SOCKET_PATH) {
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `the path ${paths.socket} is longer than a socket's name may be (${LONGEST_SOCKET_PATH} bytes)`,
      hint,
    });
  }
  try {
    mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
    accessSync(paths.folder, constants.W_OK);
  } catch (cause) {
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `the state folder ${paths.folder} cannot be used: ${(cause as Error).message}`,
      hint,
      cause,
    });
  }
}

/** Writes whole or not at all. */
export function writeWhole(path: string, text: string, mode = 0o600): void {
  const partial = `${path}.partial`;
  try {
    writeFileSync(partial, text, { mode });
    renameSync(partial, path);
  } catch (cause) {
    rmSync(partial, { force: true });
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `cannot write ${path}: ${(cause as Error).message}`,
      hint: 'free some room, or set TOWTANK_STATE_DIR to another disk',
      cause,
    });
  }
}

/** Removes what is left of a cluster that ended; with `keep`, all but its store. */
export function removeCluster(paths: Pick<ClusterPaths, 'folder' | 'store'>, keep: boolean): void {
  if (keep && existsSync(paths.store)) removeAllBut(paths, [paths.store]);
  else removeAllBut(paths, []);
}

function removeAllBut({ folder }: Pick<ClusterPaths, 'folder'>, kept: readonly string[]): void {
  if (kept.length === 0) {
    rmSync(folder, { recursive: true, force: true });
    return;
  }
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!kept.includes(path)) rmSync(path, { recursive: true, force: true });
  }
}

/**
 * The record of a cluster that runs, or undefined. Of one that ended without being told to, its store and the log that says why stay; of
 * one without a store nothing does.
 */
export function findRunning(name: string, root = stateDir()): ClusterRecord | undefined {
  const paths = clusterPaths(name, root);
  const record = readRecord(paths.record);
  if (record && processStartTime(record.innerPid) === record.innerStartTime) return record;
  if (record) removeAllBut(paths, existsSync(paths.store) ? [paths.store, paths.log] : []);
  return undefined;
}

/** All running clusters of this state folder, by name. */
export function listRunning(root = stateDir()): readonly ClusterRecord[] {
  let names: string[] = [];
  try {
    names = readdirSync(join(root, 'clusters')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return names.flatMap((name) => findRunning(name, root) ?? []);
}

function readRecord(path: string): ClusterRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // ENOTDIR: a part of the path is a file; whoever wants to write there will say so.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `cannot read ${path}: ${(error as Error).message}`,
      hint: 'was the cluster started by another user?',
      cause: error,
    });
  }
  try {
    return JSON.parse(text) as ClusterRecord;
  } catch (cause) {
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `${path} is not JSON`,
      hint: `remove the folder ${join(path, '..')}`,
      cause,
    });
  }
}
