import { closeSync } from 'node:fs';
import { UserError } from '../errors/towtank-error.ts';
import { claimName } from '../kernel/claim-name.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import { hasDefaultRanges, loopbackBlocks, loopbackNetwork, loopbackSlots } from './config/loopback-ranges.ts';

/** A configuration whose addresses no other cluster of this network namespace has. */
export interface ClaimedConfig {
  readonly config: ClusterConfig;
  /** As long as these are open anywhere, nobody else gets the addresses. */
  readonly descriptors: readonly number[];
}

/**
 * Takes the ranges of a loopback cluster: the first free ones, or those that it asks for. Throws ERR_CLUSTER_EXISTS when another
 * one has them, ERR_TIER when they are not of 127.0.0.0/8.
 */
export function claimRanges(config: ClusterConfig, mayChoose: boolean): ClaimedConfig {
  if (!mayChoose || !hasDefaultRanges(config.network)) {
    const descriptors = claimBlocks(loopbackBlocks(config.network));
    if (descriptors !== undefined) return { config, descriptors };
    throw taken('another cluster has addresses of the same ranges', 'take it down, or choose others: spec.network');
  }
  for (let slot = 0; slot < loopbackSlots; slot++) {
    const network = loopbackNetwork(config.network, slot);
    const descriptors = claimBlocks(loopbackBlocks(network));
    if (descriptors !== undefined) return { config: { ...config, network }, descriptors };
  }
  throw taken(`${loopbackSlots} clusters use 127.0.0.0/8 already`, 'take one down: towtank down');
}

function taken(message: string, hint: string): UserError {
  return new UserError({ code: 'ERR_CLUSTER_EXISTS', message, hint });
}

// All of them or none.
function claimBlocks(blocks: readonly number[]): readonly number[] | undefined {
  const descriptors: number[] = [];
  for (const block of blocks) {
    const fd = claimName(`towtank-127.${block}`);
    if (fd === undefined) {
      for (const claimed of descriptors) closeSync(claimed);
      return undefined;
    }
    descriptors.push(fd);
  }
  return descriptors;
}
