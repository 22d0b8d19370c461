import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildObjects, nameOf } from './objects.ts';
import { residentMegabytes, startTowtank, writeObjects } from './servers.ts';
import { median, printRow } from './table.ts';

const SERVICES = 100_000;

/** How long a server takes from its start until it answers for 100,000 Services of a file, and what each costs it. */
export async function measureLargeZone(rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-bench-'));
  try {
    const empty = await measure(folder, 1, rounds);
    const large = await measure(folder, SERVICES, rounds);
    printRow('start until 100,000 Services with a slice each are answered, s', [large.seconds], {
      ...{ goal: 'under 5', under: 5 },
    });
    const bytes = (median(large.megabytes) - median(empty.megabytes)) * (1e6 / SERVICES);
    printRow('memory of each of them with its slice, bytes', [[bytes]], { goal: 'printed' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(
  folder: string,
  services: number,
  rounds: number,
): Promise<{ readonly seconds: readonly number[]; readonly megabytes: readonly number[] }> {
  const file = writeObjects(folder, buildObjects(services));
  const seconds: number[] = [];
  const megabytes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await using server = await startTowtank(['-f', file], { folder, probe: nameOf(services - 1) });
    seconds.push((performance.now() - started) / 1000);
    megabytes.push(residentMegabytes(server.pid).own);
  }
  return { seconds, megabytes };
}
