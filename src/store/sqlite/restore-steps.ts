import type { KeyValue, StoreSnapshot } from '../store.ts';
import type { DatabaseFacts } from './load-database.ts';
import { insertVersions, setMeta } from './log-rows.ts';
import type { SqlStep } from './sql-batch.ts';

/** Rows that are deleted or restored in one go. */
export const ROWS_AT_ONCE = 1000;

/** Writes leases down, in the stead of those with the same ids. */
export function insertLeases(leases: DatabaseFacts['leases']): SqlStep {
  return {
    sql: 'INSERT OR REPLACE INTO lease (id, ttl) VALUES (?, ?)',
    rows: leases.map(({ id, ttlSeconds }) => [id, ttlSeconds]),
  };
}

/** Replaces all that is in the file by a snapshot, at `revision`; `entries` gets what is there then. */
export async function* restoreSteps(
  snapshot: StoreSnapshot,
  revision: number,
  entries: KeyValue[],
): AsyncGenerator<readonly SqlStep[]> {
  const empty = ['log', 'lease'].map((table) => ({ sql: `DELETE FROM ${table}`, rows: [[]] }));
  yield [...empty, insertLeases(snapshot.leases), setMeta('compacted', revision), setMeta('revision', revision)];
  const used = new Map<number, number>();
  let chunk: KeyValue[] = [];
  for await (const entry of snapshot.entries) {
    entries.push(entry);
    chunk.push(entry);
    if (chunk.length < ROWS_AT_ONCE) continue;
    yield [insertVersions(chunk, used)];
    chunk = [];
  }
  yield [insertVersions(chunk, used)];
}
