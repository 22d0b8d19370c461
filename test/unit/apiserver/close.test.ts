import { expect, test } from 'vitest';
import { createApiServer } from '../../../src/apiserver/api-server.ts';
import { createServiceAllocator } from '../../../src/controllers/service-allocator/service-allocator.ts';
import { MemoryStore } from '../../../src/store/memory-store.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { SteppedClock, settled } from '../../helpers/stepped-clock.ts';

test('a server that is closed at once, and its store with it, complains of nothing that it had begun', async () => {
  const failures: unknown[] = [];
  const clock = new SteppedClock();
  const store = new MemoryStore({ clock });
  const server = await createApiServer({
    store,
    clock,
    random: seededRandom(),
    allocator: createServiceAllocator({ serviceCIDRs: ['10.96.0.0/16'] }),
    onError: (error) => failures.push(error),
  });
  await Promise.all([server.close(), store[Symbol.asyncDispose]()]);
  await settled();
  expect(failures).toEqual([]);
  expect(clock.pending).toBe(0);
});
