// The thread that writes to the database file: a commit waits for the disk, and nobody else is to wait with it.
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { SqlStep, WriterAnswer, WriterRequest } from './sql-batch.ts';

const PAGE_BYTES = 4096;
const SQLITE_FULL = 13;

const port = parentPort!;
const statements = new Map<string, StatementSync>();
let database: DatabaseSync | undefined;

port.on('message', (request: WriterRequest) => port.postMessage(answer(request)));

function answer(request: WriterRequest): WriterAnswer {
  try {
    if (request.type === 'open') return open(request.path);
    if (request.type === 'run') runOrMakeRoom(request);
    else close();
    return { ok: true, lastId: 0 };
  } catch (error) {
    if (database?.isTransaction) database.exec('ROLLBACK');
    const { message, errcode } = error as Error & { errcode?: number };
    return { ok: false, message, errcode };
  }
}

// The exclusive lock keeps every other process out for as long as this one lives, however it ends.
function open(path: string): WriterAnswer {
  database = new DatabaseSync(path);
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages(path)}`);
  database.exec('BEGIN IMMEDIATE; COMMIT');
  const row = database.prepare('SELECT coalesce(max(id), 0) AS last FROM log').get() as { last: number };
  return { ok: true, lastId: row.last };
}

// A checkpoint holds writers up for two waits for the disk: after 32 MB it is too rare to be in their p99. On a small disk the
// log must not take the room that the file needs.
function checkpointPages(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return Math.min(8192, Math.max(64, Math.floor((bavail * bsize) / 16 / PAGE_BYTES)));
}

// What the log holds several times over takes room that the file needs once: on a full disk that can be what is missing.
function runOrMakeRoom(request: WriterRequest & { readonly type: 'run' }): void {
  try {
    run(request);
  } catch (error) {
    const isFull = ((error as { readonly errcode?: number }).errcode ?? 0) === SQLITE_FULL;
    if (!isFull || !request.begin || !request.commit) throw error;
    if (database!.isTransaction) database!.exec('ROLLBACK');
    database!.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    run(request);
  }
}

function run({ steps, begin, commit }: WriterRequest & { readonly type: 'run' }): void {
  if (begin) database!.exec('BEGIN IMMEDIATE');
  for (const step of steps) runStep(step);
  if (commit) database!.exec('COMMIT');
}

function runStep({ sql, rows }: SqlStep): void {
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = database!.prepare(sql);
    statements.set(sql, statement);
  }
  for (const row of rows) statement.run(...row);
}

function close(): void {
  statements.clear();
  database?.close();
  database = undefined;
}
