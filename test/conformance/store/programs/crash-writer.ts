// Writes to a store on sqlite until it is killed: writers whose transactions set three keys to one number. Says each
// acknowledged number on its standard output, `<writer> <number>` a line, before it goes on.
import { writeSync } from 'node:fs';
import { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.ts';

const [path = '', writers = '8'] = process.argv.slice(2);
const store = await SqliteStore.open({
  path,
  clock: { now: Date.now, schedule: () => ({ [Symbol.dispose]: () => {} }) },
});

// The pipe is full when the reader is slow: what is acknowledged has to be told all the same.
function tell(line: string): void {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
tell('ready\n');

async function write(writer: number): Promise<never> {
  for (let number = Number(store.get(`/${writer}/a`)?.value ?? 0) + 1; ; number++) {
    const value = Buffer.from(String(number));
    await store.commit(['a', 'b', 'c'].map((name) => ({ key: `/${writer}/${name}`, value })));
    tell(`${writer} ${number}\n`);
    // Compactions go on meanwhile, so that their deletions are cut short as well.
    if (number % 50 === 0) await store.compact(store.revision - 20);
  }
}
await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
