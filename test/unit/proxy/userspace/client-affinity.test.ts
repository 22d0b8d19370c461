import { expect, it } from 'vitest';
import { ClientAffinity } from '../../../../src/proxy/userspace/client-affinity.ts';

it('forgets clients whose time is over, so that memory follows the clients of now', () => {
  const affinity = new ClientAffinity<string>();
  for (let client = 0; client < 10_000; client++)
    affinity.remember(client, 'a', { now: client, expiresAt: client + 10 });
  expect(affinity.size).toBeLessThan(1100);
  expect(affinity.find(9_999, 10_000, () => true)).toBe('a');
});

it('finds nobody whose endpoint is not usable any more', () => {
  const affinity = new ClientAffinity<string>();
  affinity.remember('x', 'a', { now: 0, expiresAt: 10 });
  expect(affinity.find('x', 1, () => false)).toBeUndefined();
  expect(affinity.size).toBe(0);
});
