import { endianness } from 'node:os';
import { isLibcAvailable } from '../ffi/libc.ts';
import { ipBatchLinks } from './ip-batch-links.ts';
import type { LinkOperations } from './operations.ts';
import { rtnetlinkLinks } from './rtnetlink-links.ts';

let chosen: LinkOperations | undefined;

/**
 * The way operations reach the kernel on this machine: rtnetlink, or the programs of iproute2 where koffi does not load, on
 * big endian machines, and with TOWTANK_NETLINK=ip in the environment.
 */
export const links: LinkOperations = {
  apply(netns, operations) {
    chosen ??= chooseLinks();
    chosen.apply(netns, operations);
  },
};

/** Chooses as `links` does. */
export function chooseLinks(environment: NodeJS.ProcessEnv = process.env): LinkOperations {
  if (environment.TOWTANK_NETLINK === 'ip' || endianness() === 'BE') return ipBatchLinks;
  return isLibcAvailable() ? rtnetlinkLinks : ipBatchLinks;
}
