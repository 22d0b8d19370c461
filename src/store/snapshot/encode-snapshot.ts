import { createHash } from 'node:crypto';
import type { KeyValue, StoreSnapshot } from '../store.ts';
import { FORMAT, MAGIC, type SnapshotHeader } from './snapshot-format.ts';

const CHUNK = 256 << 10;

/** What a snapshot says of itself beside what it holds. */
export type SnapshotFacts = Pick<SnapshotHeader, 'engine' | 'takenAt' | 'about'>;

/**
 * The bytes of a snapshot file, in chunks: magic, format (4 bytes), length of the header (4 bytes), header, then for each entry
 * key, value and lease, each behind its length (4 bytes), createRevision and modRevision (8 bytes each), at the end SHA-256.
 * Numbers are big endian.
 */
export async function* encodeSnapshot(snapshot: StoreSnapshot, facts: SnapshotFacts): AsyncGenerator<Buffer> {
  const entries: KeyValue[] = [];
  for await (const entry of snapshot.entries) entries.push(entry);
  const hash = createHash('sha256');
  const { revision, leases } = snapshot;
  const header: SnapshotHeader = { revision, entries: entries.length, leases, ...facts };
  for (const chunk of chunksOf(header, entries)) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}

function* chunksOf(header: SnapshotHeader, entries: readonly KeyValue[]): Generator<Buffer> {
  const text = Buffer.from(JSON.stringify(header));
  let parts: Buffer[] = [MAGIC, number32(FORMAT), number32(text.length), text];
  let size = text.length;
  for (const entry of entries) {
    const encoded = encodeEntry(entry);
    parts.push(...encoded);
    for (const { length } of encoded) size += length;
    if (size < CHUNK) continue;
    yield Buffer.concat(parts);
    [parts, size] = [[], 0];
  }
  yield Buffer.concat(parts);
}

function encodeEntry({ key, value, lease, createRevision, modRevision }: KeyValue): Buffer[] {
  const revisions = Buffer.allocUnsafe(16);
  revisions.writeBigUInt64BE(BigInt(createRevision), 0);
  revisions.writeBigUInt64BE(BigInt(modRevision), 8);
  const [name, holder] = [Buffer.from(key), Buffer.from(lease ?? '')];
  return [number32(name.length), name, number32(value.length), value, number32(holder.length), holder, revisions];
}

function number32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
