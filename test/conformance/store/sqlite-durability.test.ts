import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { describeEvent, recordWatch } from '../../helpers/recorded-watch.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

const clock = new SteppedClock();
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'towtank-store-'));
  path = join(folder, 'store.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => SqliteStore.open({ path, clock });
const put = (store: SqliteStore, key: string, text: string) => store.commit([{ key, value: Buffer.from(text) }]);
const texts = (store: SqliteStore) =>
  store.range('').items.map((item) => `${item.key}=${item.value}@${item.modRevision}`);

describe('reopened, the store', () => {
  it('shows what was acknowledged, with revisions, leases and the history that a watch resumes from', async () => {
    const first = await open();
    const lease = await first.grantLease(60);
    await put(first, '/a', 'one');
    await first.commit([{ key: '/leased', value: Buffer.from('x'), lease }]);
    await put(first, '/a', 'two');
    await first.commit([{ key: '/gone', value: undefined }]);
    const [before, revision] = [texts(first), first.revision];
    await first[Symbol.asyncDispose]();

    await using second = await open();
    expect(texts(second)).toEqual(before);
    expect(second.revision).toBe(revision);
    const watch = recordWatch(second, '/', revision - 2);
    await watch.until(2);
    expect(watch.events.map(describeEvent)).toEqual(['create /leased=x', 'update /a=two']);
    await second.revokeLease(lease);
    expect(second.get('/leased')).toBeUndefined();
  });

  it('has forgotten what was compacted, and nothing else', async () => {
    const first = await open();
    for (const text of ['1', '2', '3', '4']) await put(first, '/k', text);
    await put(first, '/deleted', 'x');
    await first.commit([{ key: '/deleted', value: undefined }]);
    await put(first, '/k', '5');
    await first.compact(first.revision - 1);
    await put(first, '/k', '6');
    const before = texts(first);
    await first[Symbol.asyncDispose]();
    const database = new DatabaseSync(path);
    expect(database.prepare('SELECT count(*) AS rows FROM log').get()).toEqual({ rows: 3 });
    database.close();

    await using second = await open();
    expect(texts(second)).toEqual(before);
    expect(() => second.range('', { atRevision: second.compactedRevision - 1 })).toThrow(/compacted/);
    expect(second.range('', { atRevision: second.compactedRevision }).items[0]?.value.toString()).toBe('4');
  });

  it('shows what a cluster wrote while it was starting, once it had become durable, and what came after', async () => {
    const store = await SqliteStore.open({ path, clock, isStarting: true });
    const early = Array.from({ length: 50 }, (_, i) => put(store, `/early/${i}`, 'x'));
    const durable = store.becomeDurable();
    await Promise.all([...early, durable, ...Array.from({ length: 50 }, (_, i) => put(store, `/late/${i}`, 'x'))]);
    const before = texts(store);
    // As a process that is killed leaves it: the file, and the log beside it.
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(folder, `copy.db${suffix}`));
    await store[Symbol.asyncDispose]();
    await using copy = await SqliteStore.open({ path: join(folder, 'copy.db'), clock });
    expect(texts(copy)).toEqual(before);
    expect(before).toHaveLength(100);
  });

  it('is refused to a second process while the first has it', async () => {
    await using store = await open();
    await put(store, '/a', 'one');
    const error: unknown = await open().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' });
    expect(String(error)).toContain('another process');
  });
});

describe('a damaged file', () => {
  async function fill(): Promise<void> {
    const store = await open();
    for (let i = 0; i < 200; i++) await put(store, `/key/${i}`, `value ${i} `.repeat(20));
    await store[Symbol.asyncDispose]();
  }

  it('is refused as no database when it is overwritten', async () => {
    writeFileSync(path, 'all work and no play makes jack a dull boy\n'.repeat(1000));
    await expect(open()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' });
  });

  it('is refused when it is a database of somebody else', async () => {
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE other (x)');
    database.close();
    await expect(open()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' });
  });

  it('is refused when rows in the middle are missing', async () => {
    await fill();
    const database = new DatabaseSync(path);
    database.exec("DELETE FROM log WHERE key = '/key/77'");
    database.close();
    await expect(open()).rejects.toThrow(/revisions \d+ to \d+ are missing/);
  });

  it('never shows other content than was written, wherever a byte is wrong', async () => {
    await fill();
    const original = readFileSync(path);
    const intact = await open();
    const expected = texts(intact);
    await intact[Symbol.asyncDispose]();
    const random = seededRandom(11);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const damaged = Buffer.from(original);
      const at = Math.floor(random() * damaged.length);
      damaged[at] = damaged[at]! ^ (1 << Math.floor(random() * 8));
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
      writeFileSync(path, damaged);
      const outcome = await open().catch((error: unknown) => error);
      if (outcome instanceof SqliteStore) {
        expect(texts(outcome), `byte ${at}`).toEqual(expected);
        await outcome[Symbol.asyncDispose]();
      } else {
        expect(outcome, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/ERR_STORE_(CORRUPT|UNAVAILABLE)/) });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(20);
  });
});

describe('killed in the middle of writes, the store', () => {
  const rounds = Number(process.env['TOWTANK_CRASH_ROUNDS'] ?? 10);
  const writers = 8;
  const program = new URL('./programs/crash-writer.ts', import.meta.url).pathname;

  it(`loses no acknowledged write and shows none by halves (${rounds} rounds, seed 5)`, {
    timeout: 60_000 + rounds * 2000,
  }, async () => {
    const random = seededRandom(5);
    let acknowledged = 0;
    for (let round = 0; round < rounds; round++) {
      const told = await runAndKill(Math.floor(random() * 80));
      await using store = await open();
      for (let writer = 0; writer < writers; writer++) {
        const [a, b, c] = ['a', 'b', 'c'].map((name) => Number(store.get(`/${writer}/${name}`)?.value ?? 0));
        expect([b, c], `round ${round}, writer ${writer}`).toEqual([a, a]);
        expect(a, `round ${round}, writer ${writer}`).toBeGreaterThanOrEqual(told.get(writer) ?? 0);
      }
      acknowledged += told.size;
    }
    expect(acknowledged).toBeGreaterThan(0);
  });

  // Resolves with the highest number that each writer said was acknowledged.
  async function runAndKill(afterLines: number): Promise<Map<number, number>> {
    const child: ChildProcess = spawn(process.execPath, [program, path, String(writers)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const told = new Map<number, number>();
    let [rest, lines] = ['', 0];
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      for (const line of parts) {
        const [writer, number] = line.split(' ').map(Number);
        if (number !== undefined) told.set(writer!, number);
        if (++lines > afterLines) child.kill('SIGKILL');
      }
    });
    await once(child, 'close');
    return told;
  }
});

describe('on a full disk', () => {
  const isRoot = process.getuid?.() === 0;
  const unshare = ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-c'];
  const program = new URL('./programs/fill-disk.ts', import.meta.url).pathname;
  const script = `mount --make-rprivate / && mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" "$3" "$1/store.db"`;

  it('a write is refused, what was acknowledged stays, and writing goes on when there is space again', async (context) => {
    const child = spawn(unshare[0]!, [...unshare.slice(1), script, 'sh', folder, process.execPath, program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [stdout, stderr] = [child.stdout.toArray(), child.stderr.toArray()];
    const [code] = (await once(child, 'close')) as [number];
    const problem = Buffer.concat(await stderr).toString();
    if (/unshare|mount:/.test(problem)) return context.skip(`no file system of a fixed size here: ${problem.trim()}`);
    expect({ code, problem }).toEqual({ code: 0, problem: '' });
    expect(JSON.parse(Buffer.concat(await stdout).toString())).toEqual({
      refused: 'ERR_STORE_UNAVAILABLE',
      uncertain: false,
      hint: 'Free some space; nothing is lost.',
      lost: 0,
      writableAgain: true,
      intactAfterReopen: true,
    });
  });
});

describe('a copy of the file', () => {
  it('made while the store is closed opens as the store was', async () => {
    const store = await open();
    await put(store, '/a', 'one');
    const before = texts(store);
    await store[Symbol.asyncDispose]();
    expect(existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0).toBe(false);
    copyFileSync(path, join(folder, 'copy.db'));
    await using copy = await SqliteStore.open({ path: join(folder, 'copy.db'), clock });
    expect(texts(copy)).toEqual(before);
  });
});
