import { crc32 } from 'node:zlib';
import type { KeyValue, StoreEvent } from '../store.ts';
import type { SqlStep, SqlValue } from './sql-batch.ts';

/** Operations of one transaction get consecutive ids behind their revision's first; more than any transaction has. */
const IDS_PER_REVISION = 1024;

/** A row of the table `log`: one version of one key, or with no value its deletion. */
export interface LogRow {
  readonly id: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  /** createRevision of the version. */
  readonly created: number;
  readonly lease: string | null;
  /** Checksum of all the others. */
  readonly crc: number;
}

/** Statements that make the tables of a new file. */
export const TABLES = `
  CREATE TABLE log (id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, created INTEGER NOT NULL, lease TEXT, crc INTEGER NOT NULL);
  CREATE TABLE lease (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

const INSERT = 'INSERT INTO log (id, key, value, created, lease, crc) VALUES (?, ?, ?, ?, ?, ?)';
const DELETE_VERSION = 'DELETE FROM log WHERE id >= ? AND id < ? AND key = ?';

/** Revision of a row. */
export function revisionOf(row: Pick<LogRow, 'id'>): number {
  return Math.floor(row.id / IDS_PER_REVISION);
}

/** True when the row is as it was written. */
export function isIntact(row: LogRow): boolean {
  return checksum(row) === row.crc;
}

/** The version that a row holds; undefined for a deletion. */
export function versionOf(row: LogRow): KeyValue | undefined {
  if (row.value === null) return undefined;
  const { buffer, byteOffset, length } = row.value;
  return {
    key: row.key,
    value: Buffer.from(buffer, byteOffset, length),
    createRevision: row.created,
    modRevision: revisionOf(row),
    lease: row.lease ?? undefined,
    decoded: undefined,
  };
}

/** The step that appends these events, which are whole revisions. */
export function appendEvents(events: readonly StoreEvent[]): SqlStep {
  let [revision, next] = [0, 0];
  const rows = events.map((event) => {
    next = event.revision === revision ? next + 1 : event.revision * IDS_PER_REVISION;
    revision = event.revision;
    return row(next, event.key, event.current);
  });
  return { sql: INSERT, rows };
}

/** The step that writes versions as they are: a snapshot. Ids follow from their revisions. */
export function insertVersions(versions: readonly KeyValue[], used: Map<number, number>): SqlStep {
  const rows = versions.map((version) => {
    const ordinal = used.get(version.modRevision) ?? 0;
    used.set(version.modRevision, ordinal + 1);
    return row(version.modRevision * IDS_PER_REVISION + ordinal, version.key, version);
  });
  return { sql: INSERT, rows };
}

/** The step that deletes what these events superseded, and the deletions among them. */
export function deleteSuperseded(events: readonly StoreEvent[]): SqlStep {
  const rows: SqlValue[][] = [];
  for (const { key, revision, current, previous } of events) {
    if (previous) rows.push(versionRange(previous.modRevision, key));
    if (current === undefined) rows.push(versionRange(revision, key));
  }
  return { sql: DELETE_VERSION, rows };
}

function versionRange(revision: number, key: string): SqlValue[] {
  return [revision * IDS_PER_REVISION, (revision + 1) * IDS_PER_REVISION, key];
}

/** The step that writes a number into `meta`. */
export function setMeta(name: 'compacted' | 'revision', value: number): SqlStep {
  return { sql: 'INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)', rows: [[name, value]] };
}

function row(id: number, key: string, version: KeyValue | undefined): SqlValue[] {
  const fields = {
    id,
    key,
    value: version?.value ?? null,
    created: version?.createRevision ?? 0,
    lease: version?.lease ?? null,
  };
  return [id, key, fields.value, fields.created, fields.lease, checksum(fields)];
}

function checksum({ id, key, value, created, lease }: Omit<LogRow, 'crc'>): number {
  const head = crc32(`${id} ${created} ${lease ?? ''} ${value === null ? '-' : value.length} ${key}`);
  return value === null ? head : crc32(value, head);
}
