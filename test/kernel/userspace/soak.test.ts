import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { echo, TRANSPORTS, TransportLab } from '../../helpers/transport-lab.ts';

/** Seconds of mixed load; 300 is a soak. */
const SECONDS = Number(process.env['TOWTANK_SOAK'] ?? 2);
const WORKERS = 12;
const SEED = 11;

leaveNothing();

// One client after another: some answer whole, some go away in the middle, some reset, some say nothing at all.
async function behave(lab: TransportLab, portal: { host: string; port: number }, luck: number): Promise<void> {
  const socket = lab.connect(portal);
  const closed = once(socket, 'close');
  socket.on('error', () => {});
  await once(socket, 'connect');
  const bytes = Math.floor(luck * 400_000);
  if (luck < 0.1) socket.resetAndDestroy();
  else if (luck < 0.2) socket.destroy();
  else if (luck < 0.3) {
    socket.write(Buffer.alloc(bytes));
    await once(socket, 'data');
    socket.resetAndDestroy();
  } else {
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.end(Buffer.alloc(bytes));
    await once(socket, 'end');
    expect(received).toBe(bytes);
  }
  await closed;
}

it.each(TRANSPORTS)(
  `%s leaks no descriptor and no connection under mixed load (seed ${SEED})`,
  async (kind) => {
    await using lab = new TransportLab(kind);
    const random = seededRandom(SEED);
    const servers = await Promise.all([1, 2, 3].map(() => lab.serve(echo)));
    const portal = lab.listen([...servers, lab.nobody()]);
    await behave(lab, portal, 0.9);
    await expect.poll(() => lab.transport.connections(), { timeout: 30_000 }).toEqual([]);
    const descriptors = readdirSync('/proc/self/fd').length;
    const memory = process.memoryUsage().rss;
    const end = performance.now() + SECONDS * 1000;
    const work = async (): Promise<void> => {
      while (performance.now() < end) await behave(lab, portal, random());
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    await expect.poll(() => lab.transport.connections(), { timeout: 30_000 }).toEqual([]);
    // A few pipes stay, for the next connection that moves much: 32 of each thread at most.
    await expect
      .poll(() => readdirSync('/proc/self/fd').length, { timeout: 30_000 })
      .toBeLessThanOrEqual(descriptors + 2 * 2 * 32 + 8);
    expect(process.memoryUsage().rss - memory).toBeLessThan(200e6);
    expect(lab.errors).toEqual([]);
  },
  SECONDS * 2000 + 120_000,
);
