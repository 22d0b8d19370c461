import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';
import { describeStore } from './store-suite.ts';

for (const isStarting of [false, true]) {
  describeStore(`sqlite${isStarting ? ' of a cluster that is starting' : ''}`, async () => {
    const clock = new SteppedClock();
    const folder = mkdtempSync(join(tmpdir(), 'towtank-store-'));
    return {
      open: () => SqliteStore.open({ path: join(folder, 'store.db'), clock, isStarting }),
      pass: (seconds) => clock.step(seconds * 1000),
      close: async () => rmSync(folder, { recursive: true }),
    };
  });
}
