import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSnapshot } from '../../../../src/store/snapshot/encode-snapshot.ts';
import { readSnapshot } from '../../../../src/store/snapshot/read-snapshot.ts';
import { writeFileWhole } from '../../../../src/store/snapshot/write-file-whole.ts';
import type { KeyValue, StoreSnapshot } from '../../../../src/store/store.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-snapshot-'));
  path = join(folder, 'cluster.snapshot');
});
afterEach(() => rmSync(folder, { recursive: true }));

const facts = { engine: 'memory', takenAt: '2026-01-01T00:00:00Z', about: { name: 'lab' } };
const entry = (key: string, value: Buffer, lease?: string): KeyValue => ({
  key,
  value,
  createRevision: 3,
  modRevision: 2 ** 40,
  lease,
  decoded: undefined,
});
const entries = [
  entry('/a', Buffer.from('one'), '7587870000000000001'),
  entry('/empty', Buffer.alloc(0)),
  entry('/large', Buffer.alloc(300_000, 'x')),
  entry('/ü/€', Buffer.from([0, 255, 10])),
];
const snapshot: StoreSnapshot = {
  revision: 2 ** 40 + 5,
  leases: [{ id: '7587870000000000001', ttlSeconds: 60 }],
  entries,
};
const save = (content: StoreSnapshot = snapshot) => writeFileWhole(path, encodeSnapshot(content, facts));

async function contents(): Promise<readonly KeyValue[]> {
  await using file = await readSnapshot(path);
  const found: KeyValue[] = [];
  for await (const item of file.entries) found.push(item);
  return found;
}

describe('a snapshot file', () => {
  it('holds all entries, leases and facts', async () => {
    expect(await save()).toBe(readFileSync(path).length);
    expect(await contents()).toEqual(entries);
    await using file = await readSnapshot(path);
    expect(file).toMatchObject({ revision: snapshot.revision, leases: snapshot.leases });
    expect(file.header).toEqual({ revision: snapshot.revision, leases: snapshot.leases, entries: 4, ...facts });
  });

  it('can be empty', async () => {
    await save({ revision: 1, leases: [], entries: [] });
    expect(await contents()).toEqual([]);
  });

  it.each([
    ['', 'it is not a snapshot of towtank'],
    ['all work and no play', 'it is not a snapshot of towtank'],
    ['TTNKSNAP', 'it ends within its header'],
    ['TTNKSNAP\0\0\0\x09\0\0\0\x02{}', 'its format is 9, this version of towtank knows 1'],
    ['TTNKSNAP\0\0\0\x01\xff\xff\xff\xff', 'it ends within its header'],
    [`TTNKSNAP\0\0\0\x01\0\0\0\x02{]${'.'.repeat(32)}`, 'its header is no JSON'],
  ])('is refused when it is %j', async (text, problem) => {
    writeFileSync(path, text, 'latin1');
    await expect(readSnapshot(path)).rejects.toMatchObject({
      code: 'ERR_SNAPSHOT',
      message: expect.stringContaining(problem),
    });
  });

  it('is refused wherever a bit is wrong or the end is missing', async () => {
    await save({ ...snapshot, entries: [entries[0]!, entries[3]!] });
    const whole = readFileSync(path);
    const random = seededRandom(3);
    for (let round = 0; round < 60; round++) {
      const at = Math.floor(random() * whole.length);
      const damaged = round % 2 === 0 ? whole.subarray(0, at) : Buffer.from(whole);
      if (round % 2 === 1) damaged[at] = damaged[at]! ^ (1 << Math.floor(random() * 8));
      writeFileSync(path, damaged);
      await expect(readSnapshot(path), `byte ${at}`).rejects.toMatchObject({ code: 'ERR_SNAPSHOT' });
    }
  });

  it('is refused when it cannot be read', async () => {
    await expect(readSnapshot(join(folder, 'absent'))).rejects.toThrow('cannot be read: ENOENT');
    await expect(readSnapshot(folder)).rejects.toMatchObject({ code: 'ERR_SNAPSHOT' });
  });
});

describe('writing a snapshot', () => {
  it('leaves what stood there, and nothing else, when the source fails half-way', async () => {
    await save();
    const before = readFileSync(path);
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('half');
      throw new Error('the cluster is gone');
    };
    await expect(writeFileWhole(path, failing())).rejects.toThrow('the cluster is gone');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['cluster.snapshot']);
  });

  it('says which file cannot be written', async () => {
    const absent = join(folder, 'absent', 'x');
    await expect(writeFileWhole(absent, encodeSnapshot(snapshot, facts))).rejects.toMatchObject({
      code: 'ERR_SNAPSHOT',
      message: expect.stringContaining(`cannot write ${absent}`),
    });
  });
});
