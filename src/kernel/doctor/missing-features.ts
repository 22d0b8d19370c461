import { type Finding, type Probe, runProbes } from './finding.ts';
import { kernelProbes } from './kernel-probes.ts';

/** Through what a proxy writes its rules. */
export type RulesBackend = 'iptables-nft' | 'iptables-legacy' | 'nft';

/**
 * What this kernel lacks of all that the rules of a proxy are made of, found out in namespaces that exist for a moment.
 * `probes` are those of `towtank doctor`, where each says which mode needs it.
 */
export async function findMissingFeatures(
  backend: RulesBackend,
  probes: readonly Probe[] = kernelProbes,
): Promise<readonly Finding[]> {
  const needed = probes.filter(({ name, costs }) => name.startsWith(`${backend} `) && costs.includes('proxy mode'));
  return (await runProbes(needed)).filter(({ ok }) => !ok);
}
