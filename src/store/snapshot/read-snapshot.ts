import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { KeyValue, StoreSnapshot } from '../store.ts';
import {
  DIGEST_LENGTH,
  FORMAT,
  MAGIC,
  PREAMBLE_LENGTH,
  type SnapshotHeader,
  snapshotError,
} from './snapshot-format.ts';

const CHUNK = 1 << 20;

/** A snapshot in a file. */
export interface SnapshotFile extends StoreSnapshot, AsyncDisposable {
  readonly header: SnapshotHeader;
  /** Can be gone through once. */
  readonly entries: AsyncIterable<KeyValue>;
}

/** Opens a snapshot file after checking all of it. Rejects with ERR_SNAPSHOT when it is none or does not match its checksum. */
export async function readSnapshot(path: string): Promise<SnapshotFile> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw snapshotError(path, `cannot be read: ${(cause as Error).message}`, cause);
  });
  try {
    const { size } = await file.stat();
    const header = await readHeader(file, path, size);
    await checkDigest(file, path, size);
    const { revision, leases } = header.facts;
    const entries = readEntries(file, { path, header, end: size - DIGEST_LENGTH });
    return { header: header.facts, revision, leases, entries, [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw (error as NodeJS.ErrnoException).syscall === undefined
      ? error
      : snapshotError(path, `cannot be read: ${(error as Error).message}`, error);
  }
}

interface FoundHeader {
  readonly facts: SnapshotHeader;
  readonly end: number;
}

async function readHeader(file: FileHandle, path: string, size: number): Promise<FoundHeader> {
  const preamble = await readAt(file, 0, PREAMBLE_LENGTH);
  if (!preamble.subarray(0, MAGIC.length).equals(MAGIC)) throw snapshotError(path, 'it is not a snapshot of towtank');
  if (preamble.length < PREAMBLE_LENGTH) throw snapshotError(path, 'it is damaged: it ends within its header');
  const format = preamble.readUInt32BE(MAGIC.length);
  if (format !== FORMAT) throw snapshotError(path, `its format is ${format}, this version of towtank knows ${FORMAT}`);
  const length = preamble.readUInt32BE(MAGIC.length + 4);
  const end = PREAMBLE_LENGTH + length;
  if (end + DIGEST_LENGTH > size) throw snapshotError(path, 'it is damaged: it ends within its header');
  const text = (await readAt(file, PREAMBLE_LENGTH, length)).toString();
  try {
    return { facts: JSON.parse(text) as SnapshotHeader, end };
  } catch (cause) {
    throw snapshotError(path, 'it is damaged: its header is no JSON', cause);
  }
}

async function checkDigest(file: FileHandle, path: string, size: number): Promise<void> {
  const hash = createHash('sha256');
  const end = size - DIGEST_LENGTH;
  for (let at = 0; at < end; at += CHUNK) hash.update(await readAt(file, at, Math.min(CHUNK, end - at)));
  const told = await readAt(file, end, DIGEST_LENGTH);
  if (!hash.digest().equals(told))
    throw snapshotError(path, 'it is damaged or cut off: it does not match its checksum');
}

async function* readEntries(
  file: FileHandle,
  { path, header, end }: { readonly path: string; readonly header: FoundHeader; readonly end: number },
): AsyncGenerator<KeyValue> {
  const reader = new FieldsReader(file, header.end, end);
  try {
    for (let count = 0; count < header.facts.entries; count++) {
      const key = (await reader.field()).toString();
      const value = Buffer.from(await reader.field());
      const lease = (await reader.field()).toString();
      const [createRevision, modRevision] = [await reader.number(), await reader.number()];
      yield { key, value, createRevision, modRevision, lease: lease === '' ? undefined : lease, decoded: undefined };
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw snapshotError(path, `it is damaged: ${cause.message}`, cause);
  }
}

/** Reads fields out of a file, a large piece at a time. */
class FieldsReader {
  readonly #file: FileHandle;
  readonly #end: number;
  #position: number;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, start: number, end: number) {
    this.#file = file;
    this.#position = start;
    this.#end = end;
  }

  async field(): Promise<Buffer> {
    return this.#take((await this.#take(4)).readUInt32BE());
  }

  async number(): Promise<number> {
    return Number((await this.#take(8)).readBigUInt64BE());
  }

  async #take(length: number): Promise<Buffer> {
    if (this.#buffer.length < length) {
      const missing = length - this.#buffer.length;
      const wanted = Math.min(Math.max(missing, CHUNK), this.#end - this.#position);
      if (wanted < missing) throw new RangeError('it ends within an entry');
      this.#buffer = Buffer.concat([this.#buffer, await readAt(this.#file, this.#position, wanted)]);
      this.#position += wanted;
    }
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }
}

// Fewer bytes than asked for only at the end of the file.
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
