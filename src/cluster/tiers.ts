/** The privilege tiers, for the command line: it reaches the kernel room only through here. */
export { describeTier, examineTiers, type Tier, type TierFinding } from '../kernel/tier.ts';
