// The API server of a benchmark, in a process of its own: one round, told what to do by messages of its parent.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { STATIC_TOKEN, startApiServerLab } from '../../test/helpers/api-server-lab.ts';
import { systemClock } from '../../test/helpers/system-clock.ts';
import type { ServerFacts, ServerReading } from './bench-server.ts';

const engine = process.argv[2] ?? 'memory';
const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-api-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const loaded = performance.now();
const lab = await startApiServerLab({ store: await openStore() });
const ready = await fetch(`${lab.plainUrl}/readyz`);
const startMs = performance.now() - loaded;
if (ready.status !== 200) throw new Error(`the server is not ready: ${ready.status}`);

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('message', (message) => {
  if (message !== 'collect') return answer();
  globalThis.gc?.();
  // The monitor's own timer tells of the collection first, which is no part of what is measured next.
  setTimeout(answer, 20);
});

function answer(): void {
  const { user, system } = process.cpuUsage();
  const reading: ServerReading = {
    cpuMs: (user + system) / 1000,
    rssMegabytes: process.memoryUsage.rss() / 1e6,
    // The monitor counts its own millisecond.
    longestTurnMs: Math.max(0, delay.max / 1e6 - 1),
  };
  delay.reset();
  process.send!(reading);
}
process.on('disconnect', () => process.exit());
const facts: ServerFacts = {
  startMs,
  url: lab.url,
  plainUrl: lab.plainUrl,
  ca: lab.certificates.ca.cert,
  token: STATIC_TOKEN,
};
process.send!(facts);

async function openStore(): Promise<Store> {
  if (engine === 'memory') return new MemoryStore({ clock: systemClock });
  const { SqliteStore } = await import('../../src/store/sqlite/sqlite-store.ts');
  return SqliteStore.open({ path: join(folder, 'store.db'), clock: systemClock });
}
