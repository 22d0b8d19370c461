import { hasProgram, requirePrograms } from '../../kernel/doctor.ts';
import { hasLegacyTables } from '../../kernel/legacy-tables.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { createConntrackRunner } from '../../kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../kernel/runners/nft-runner.ts';
import type { IptablesRunner } from '../../netfilter/runner.ts';
import type { RulesMode } from '../../proxy/config/proxy-config.ts';
import type { ProxyRunners } from '../../proxy/create-backend.ts';

/** What speaks to the kernel of a host that is not ours alone: both back ends of iptables may have rules. */
export interface HostRunners extends ProxyRunners {
  readonly otherIptables: IptablesRunner | undefined;
}

const PROGRAMS: Readonly<Record<RulesMode, readonly string[]>> = {
  iptables: ['iptables', 'iptables-restore', 'ip6tables-restore'],
  nftables: ['nft'],
};

/** Makes the runners of the namespace that the process is in. Throws UserError ERR_MISSING_PROGRAM when the mode lacks its own. */
export async function createHostRunners(netns: NetworkNamespace, mode: RulesMode | undefined): Promise<HostRunners> {
  if (mode !== undefined) requirePrograms(PROGRAMS[mode]);
  const iptables = hasProgram('iptables') ? createIptablesRunner(netns, { backend: 'auto' }) : undefined;
  return {
    iptables,
    otherIptables: iptables && (await findOther(netns, iptables)),
    nft: hasProgram('nft') ? createNftRunner(netns) : undefined,
    conntrack: createConntrackRunner(netns),
  };
}

async function findOther(netns: NetworkNamespace, iptables: IptablesRunner): Promise<IptablesRunner | undefined> {
  const { stdout } = await iptables.run('ipv4', ['-V']);
  if (!stdout.includes('nf_tables'))
    return hasProgram('iptables-nft') ? createIptablesRunner(netns, { backend: 'nft' }) : undefined;
  const isUsed = hasProgram('iptables-legacy') && hasLegacyTables(netns);
  return isUsed ? createIptablesRunner(netns, { backend: 'legacy' }) : undefined;
}
