import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TowtankError } from '../../errors/towtank-error.ts';
import { StoreUnavailableError } from '../store.ts';
import { isIntact, type LogRow, revisionOf, TABLES } from './log-rows.ts';

/** `TTNK`: whose file it is. */
const APPLICATION_ID = 0x54544e4b;
const FORMAT = 1;
const SQLITE_BUSY = 5;

/** What a file holds beside its rows. */
export interface DatabaseFacts {
  readonly compacted: number;
  readonly revision: number;
  readonly leases: readonly { readonly id: string; readonly ttlSeconds: number }[];
  /** Id of the last row, 0 for none. */
  readonly lastId: number;
}

/**
 * Opens the file, makes it when it is not there, and calls `onRow` with each row in order. Throws ERR_STORE_CORRUPT when it
 * is damaged, no database or not ours, ERR_STORE_UNAVAILABLE when another process has it open.
 */
export function loadDatabase(
  path: string,
  onRow: (row: LogRow, facts: Omit<DatabaseFacts, 'lastId'>) => void,
): DatabaseFacts {
  mkdirSync(dirname(path), { recursive: true });
  const isNew = !existsSync(path);
  // It holds Secrets and keys.
  if (isNew) closeSync(openSync(path, 'a', 0o600));
  return withDatabase(path, (database) => {
    if (isNew) createTables(database);
    checkFormat(database, path);
    return readAll(database, path, onRow);
  });
}

function withDatabase<T>(path: string, use: (database: DatabaseSync) => T): T {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    // Without a file of shared memory, so that a store can be opened on a full disk.
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    return use(database);
  } catch (error) {
    throw error instanceof TowtankError ? error : readProblem(path, error as Error & { errcode?: number });
  } finally {
    database?.close();
  }
}

function readProblem(path: string, error: Error & { errcode?: number }): TowtankError {
  const code = (error.errcode ?? 0) & 0xff;
  if (code === SQLITE_BUSY)
    return new StoreUnavailableError(`another process has ${path} open`, {
      hint: 'Stop the other cluster, or choose another state folder.',
      cause: error,
    });
  if (code === 11 || code === 26) return corrupt(path, error.message, error);
  return new StoreUnavailableError(`cannot open ${path}: ${error.message}`, { cause: error });
}

function corrupt(path: string, problem: string, cause?: unknown): TowtankError {
  return new TowtankError({
    code: 'ERR_STORE_CORRUPT',
    message: `${path} is damaged: ${problem}`,
    hint: 'Restore it by: towtank snapshot restore FILE, which puts the damaged file aside; or start anew with: towtank up --fresh',
    cause,
  });
}

function createTables(database: DatabaseSync): void {
  database.exec(
    `PRAGMA journal_mode = WAL; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}`,
  );
  database.exec(`BEGIN; ${TABLES} INSERT INTO meta VALUES ('compacted', 1), ('revision', 1); COMMIT`);
}

function checkFormat(database: DatabaseSync, path: string): void {
  const pragma = (name: string): unknown => Object.values(database.prepare(`PRAGMA ${name}`).get() as object)[0];
  if (pragma('application_id') !== APPLICATION_ID) throw corrupt(path, 'it is not a store of towtank');
  const format = pragma('user_version');
  if (format !== FORMAT) throw corrupt(path, `its format ${String(format)} is unknown to this version`);
}

function readAll(database: DatabaseSync, path: string, onRow: Parameters<typeof loadDatabase>[1]): DatabaseFacts {
  const meta = new Map(
    (database.prepare('SELECT name, value FROM meta').all() as { name: string; value: number }[]).map(
      ({ name, value }) => [name, value],
    ),
  );
  const leases = database.prepare('SELECT id, ttl AS ttlSeconds FROM lease').all() as {
    id: string;
    ttlSeconds: number;
  }[];
  const facts = { compacted: meta.get('compacted') ?? 1, revision: meta.get('revision') ?? 1, leases };
  let [lastId, lastRevision] = [0, facts.compacted];
  for (const entry of database.prepare('SELECT id, key, value, created, lease, crc FROM log ORDER BY id').iterate()) {
    const row = entry as unknown as LogRow;
    if (!isIntact(row))
      throw corrupt(path, `the row of ${row.key} at revision ${revisionOf(row)} does not match its checksum`);
    const revision = revisionOf(row);
    // Behind the compaction every revision has left a row.
    if (revision > Math.max(lastRevision, facts.revision) + 1)
      throw corrupt(path, `revisions ${lastRevision + 1} to ${revision - 1} are missing`);
    lastRevision = Math.max(lastRevision, revision);
    lastId = row.id;
    onRow(row, facts);
  }
  return { ...facts, revision: Math.max(facts.revision, lastRevision), lastId };
}
