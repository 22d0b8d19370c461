import { setTimeout } from 'node:timers/promises';
import { claimName } from '../../kernel/claim-name.ts';
import { resolverObstacle } from '../../kernel/loopback/resolver-obstacle.ts';
import { resolverName } from '../claim-network.ts';

const ATTEMPTS = 100;
const PAUSE_MS = 20;

/**
 * Takes the resolver file of this container for a loopback cluster until it ends. Resolves with the reason when it cannot be had:
 * then programs do not find names of the cluster.
 */
export async function takeResolver(): Promise<string | undefined> {
  const obstacle = resolverObstacle();
  if (obstacle !== undefined) return obstacle;
  // One that was killed a moment ago may still be cleaning up.
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (claimName(resolverName) !== undefined) return undefined;
    await setTimeout(PAUSE_MS);
  }
  return '/etc/resolv.conf leads to another cluster';
}
