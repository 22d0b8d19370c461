import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../errors/towtank-error.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { type ClusterPaths, clusterPaths, removeCluster, stateDir, writeWhole } from './state-folder.ts';

/** What stays of a cluster that does not run: how it was made. Its objects lie beside it, or in etcd. */
export interface KeptCluster {
  /** As it was asked for. */
  readonly requested: ClusterConfig;
  /** As it was carried out. */
  readonly config: ClusterConfig;
}

/** File of the store of engine sqlite. */
export function databasePath({ store }: Pick<ClusterPaths, 'store'>): string {
  return join(store, 'store.db');
}

/** What is kept of a cluster; undefined when nothing is. Throws ERR_STATE_DIR when it cannot be read. */
export function readKept({ store }: Pick<ClusterPaths, 'store'>): KeptCluster | undefined {
  const path = join(store, 'kept.json');
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as KeptCluster;
  } catch (cause) {
    throw new UserError({
      code: 'ERR_STATE_DIR',
      message: `cannot read ${path}: ${(cause as Error).message}`,
      hint: 'towtank down removes what is kept of the cluster; towtank snapshot restore writes it anew',
      cause,
    });
  }
}

/** Keeps how a cluster was made. */
export function writeKept(paths: Pick<ClusterPaths, 'store'>, kept: KeptCluster): void {
  mkdirSync(paths.store, { recursive: true, mode: 0o700 });
  writeWhole(join(paths.store, 'kept.json'), JSON.stringify(kept));
}

/** The configuration that a kept cluster of this name goes on with; undefined when none is kept. */
export function keptConfig(name: string, root = stateDir()): ClusterConfig | undefined {
  return readKept(clusterPaths(name, root))?.requested;
}

/** True when something is kept of a cluster of this name. */
export function isKept(name: string, root = stateDir()): boolean {
  return readKept(clusterPaths(name, root)) !== undefined;
}

/** Removes what is kept of a cluster that does not run. */
export function forgetKept(name: string, root = stateDir()): void {
  removeCluster(clusterPaths(name, root), false);
}

/**
 * The configuration to start with: that of the kept cluster, when what is asked for is the same. Throws ERR_CLUSTER_KEPT when
 * another one is kept: its objects would not fit.
 */
export function continueKept(requested: ClusterConfig, kept: KeptCluster | undefined): ClusterConfig {
  if (kept === undefined) return requested;
  const differing = Object.keys({ ...kept.requested, ...requested }).filter(
    (field) => field !== 'api' && !isDeepStrictEqual(jsonOf(kept.requested, field), jsonOf(requested, field)),
  );
  if (differing.length === 0) return { ...kept.config, api: requested.api };
  throw new UserError({
    code: 'ERR_CLUSTER_KEPT',
    message: `cluster ${requested.name} is kept with another configuration (${differing.join(', ')})`,
    hint: `go on with it by: towtank up --name ${requested.name}, without other options; or start anew with --fresh`,
  });
}

// As it was after it had been written to a file.
function jsonOf(config: ClusterConfig, field: string): unknown {
  const value = (config as unknown as Record<string, unknown>)[field];
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
}
