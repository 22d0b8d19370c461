import type { LinkOperations } from './operations.ts';
import { rtnetlinkLinks } from './rtnetlink-links.ts';

/** The way operations reach the kernel on this machine. */
export const links: LinkOperations = {
  apply: (netns, operations) => rtnetlinkLinks.apply(netns, operations),
};
