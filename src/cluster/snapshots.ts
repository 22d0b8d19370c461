import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { hasCode, UserError } from '../errors/towtank-error.ts';
import { encodeSnapshot } from '../store/snapshot/encode-snapshot.ts';
import { readSnapshot, type SnapshotFile } from '../store/snapshot/read-snapshot.ts';
import { writeFileWhole } from '../store/snapshot/write-file-whole.ts';
import type { Store } from '../store/store.ts';
import { findCluster } from './cluster.ts';
import { openStore } from './compose/open-store.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { databasePath, type KeptCluster, readKept, writeKept } from './kept-cluster.ts';
import { type ClusterPaths, clusterPaths, findRunning, stateDir } from './state-folder.ts';
import { resolveStore, type StoreSpec } from './store-spec.ts';

/** Which store: that of a cluster by its name, or as a cluster.yaml describes it. */
export interface SnapshotPlace {
  readonly name: string;
  readonly config?: ClusterConfig | undefined;
  readonly stateRoot?: string | undefined;
}

export interface SavedSnapshot {
  readonly bytes: number;
  readonly revision: number;
  readonly entries: number;
}

export interface RestoredSnapshot {
  readonly engine: StoreSpec['engine'];
  readonly entries: number;
  /** Where a file was put aside that was damaged. */
  readonly putAside: string | undefined;
}

/**
 * Writes all that a store holds into a file, whole or not at all: of a cluster that runs, or of one that is kept. Rejects with
 * ERR_SNAPSHOT, ERR_CLUSTER_NOT_FOUND, or the store's error.
 */
export async function saveSnapshot(path: string, place: SnapshotPlace): Promise<SavedSnapshot> {
  const { name, config, stateRoot = stateDir() } = place;
  const bytes =
    config === undefined && findRunning(name, stateRoot)
      ? await writeFileWhole(path, await findCluster(name, stateRoot).snapshot())
      : await saveKept(path, place, stateRoot);
  await using file = await readSnapshot(path);
  return { bytes, revision: file.revision, entries: file.header.entries };
}

/**
 * Replaces what a store holds by a snapshot file that was checked before: of a cluster that does not run. A damaged store file
 * is put aside. Rejects with ERR_SNAPSHOT, ERR_CLUSTER_EXISTS while it runs, ERR_USAGE for a store in memory.
 */
export async function restoreSnapshot(path: string, place: SnapshotPlace): Promise<RestoredSnapshot> {
  const { name, stateRoot = stateDir() } = place;
  const paths = clusterPaths(name, stateRoot);
  if (findRunning(name, stateRoot)) {
    throw new UserError({
      code: 'ERR_CLUSTER_EXISTS',
      message: `cluster ${name} is running: only one that is down can be restored`,
      hint: `towtank down --keep --name ${name}, then restore, then: towtank up --name ${name}`,
    });
  }
  await using file = await readSnapshot(path);
  const wanted = place.config ?? readKept(paths)?.config;
  const spec = await resolveStore(wanted?.store ?? { engine: 'sqlite' }, databasePath(paths));
  if (spec.engine === 'memory') throw inMemory('restore into');
  mkdirSync(paths.store, { recursive: true, mode: 0o700 });
  const { store, putAside } = await openForRestore(spec, paths);
  try {
    await store.restore(file);
  } finally {
    await store[Symbol.asyncDispose]();
  }
  const about = aboutOf(file);
  if (readKept(paths) === undefined && about !== undefined) writeKept(paths, renamed(about, place));
  return { engine: spec.engine, entries: file.header.entries, putAside };
}

async function saveKept(path: string, { name, config }: SnapshotPlace, stateRoot: string): Promise<number> {
  const paths = clusterPaths(name, stateRoot);
  const kept = readKept(paths);
  const wanted = config ?? kept?.config;
  const spec = await resolveStore(wanted?.store ?? { engine: 'sqlite' }, databasePath(paths));
  if (spec.engine === 'memory') throw inMemory('save');
  if (wanted === undefined || (spec.engine === 'sqlite' && !existsSync(spec.path))) {
    throw new UserError({
      code: 'ERR_CLUSTER_NOT_FOUND',
      message: `no cluster named ${name} is running, and none is kept`,
      hint: 'towtank status shows what runs; --name chooses another',
    });
  }
  await using store = await openStore(spec);
  const about = { requested: wanted, config: wanted, ...kept };
  const takenAt = new Date().toISOString();
  return await writeFileWhole(path, encodeSnapshot(await store.snapshot(), { engine: spec.engine, takenAt, about }));
}

async function openForRestore(
  spec: StoreSpec,
  paths: ClusterPaths,
): Promise<{ readonly store: Store; readonly putAside: string | undefined }> {
  try {
    return { store: await openStore(spec), putAside: undefined };
  } catch (error) {
    if (!hasCode(error, 'ERR_STORE_CORRUPT')) throw error;
    const path = databasePath(paths);
    const putAside = `${path}.damaged`;
    renameSync(path, putAside);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
    return { store: await openStore(spec), putAside };
  }
}

function aboutOf(file: SnapshotFile): KeptCluster | undefined {
  const about = file.header.about as Partial<KeptCluster> | undefined;
  return about?.requested && about.config ? { requested: about.requested, config: about.config } : undefined;
}

// Under another name, and perhaps in another engine, than it was taken from.
function renamed(about: KeptCluster, { name, config }: SnapshotPlace): KeptCluster {
  const adapt = (from: ClusterConfig): ClusterConfig => ({ ...from, name, store: config?.store });
  return { requested: config ?? adapt(about.requested), config: adapt(about.config) };
}

function inMemory(verb: string): UserError {
  return new UserError({
    code: 'ERR_USAGE',
    message: `there is nothing to ${verb}: the store of this cluster is in memory`,
    hint: 'choose spec.store.engine sqlite or etcd',
  });
}
