// Writes more than fits, of which little stays; fills the file system that the store lies on, tries to write, frees space, writes
// again; prints what happened as JSON.
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.ts';
import { StoreUnavailableError } from '../../../../src/store/store.ts';

const path = process.argv[2]!;
const clock = { now: Date.now, schedule: () => ({ [Symbol.dispose]: () => {} }) };
const ballast = join(dirname(path), 'ballast');
const open = () => SqliteStore.open({ path, clock });
const value = Buffer.alloc(50_000, 'v');

writeFileSync(ballast, Buffer.alloc(1 << 20));
const store = await open();
// Ten times the disk, of which little is to be kept.
const version = Buffer.alloc(20_000, 'c');
for (let i = 0; i < 2000; i++) {
  await store.commit([{ key: `/churn/${i % 5}`, value: version }]);
  if (i % 10 === 0) await store.compact(store.revision);
}
const acknowledged: string[] = [];
let error: unknown;
for (let i = 0; error === undefined; i++) {
  const key = `/key/${i}`;
  await store.commit([{ key, value }]).then(
    () => acknowledged.push(key),
    (caught: unknown) => {
      error = caught;
    },
  );
}
const lost = acknowledged.filter((key) => store.get(key)?.value.equals(value) !== true).length;
rmSync(ballast);
await store.commit([{ key: '/after', value: Buffer.from('x') }]);
const keys = store.range('').items.map(({ key }) => key);
await store[Symbol.asyncDispose]();
const again = await open();
const refused = error instanceof StoreUnavailableError ? error : undefined;
process.stdout.write(
  JSON.stringify({
    refused: refused?.code,
    uncertain: refused?.uncertain,
    hint: refused?.hint,
    lost,
    writableAgain: again.get('/after') !== undefined,
    intactAfterReopen: JSON.stringify(again.range('').items.map(({ key }) => key)) === JSON.stringify(keys),
  }),
);
await again[Symbol.asyncDispose]();
