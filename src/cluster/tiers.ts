/** The privilege tiers, for the command line: it reaches the kernel room only through here. */
export { chooseTier, describeTier, loopbackLimits, type Tier } from '../kernel/tier.ts';
