import { KernelCommandError } from '../errors/kernel-command-error.ts';
import type { Family, IptablesRunner, NftRunner } from '../netfilter/runner.ts';
import type { RulesMode } from './config/proxy-config.ts';
import { CANARY, SERVICES } from './iptables/chain-names.ts';
import { TABLE } from './nftables/object-names.ts';

/** Rules of some proxy that are in a network namespace. */
export interface FoundProxyRules {
  readonly mode: RulesMode;
  readonly family: Family;
}

/** What is looked through. A machine may have rules in both back ends of iptables. */
export interface SearchedRunners {
  readonly iptables?: IptablesRunner | undefined;
  readonly otherIptables?: IptablesRunner | undefined;
  readonly nft?: NftRunner | undefined;
}

/**
 * Looks for rules that a proxy of any mode wrote, ours or another. Two proxies in one network namespace destroy each other's
 * rules, and of the modes the later one wins: whoever starts a proxy on a machine of its own asks this first.
 */
export async function findProxyRules(runners: SearchedRunners): Promise<readonly FoundProxyRules[]> {
  const found: FoundProxyRules[] = [];
  for (const family of ['ipv4', 'ipv6'] as const) {
    if (await hasChains(runners, family)) found.push({ mode: 'iptables', family });
    if (await hasTable(runners, family)) found.push({ mode: 'nftables', family });
  }
  return found;
}

// kubelets have chains KUBE-KUBELET-CANARY, KUBE-FIREWALL and KUBE-MARK-MASQ; these two are a proxy's.
async function hasChains({ iptables, otherIptables }: SearchedRunners, family: Family): Promise<boolean> {
  for (const runner of [iptables, otherIptables]) {
    if (runner === undefined) continue;
    if (await hasChain(runner, family, { table: 'mangle', chain: CANARY })) return true;
    if (await hasChain(runner, family, { table: 'nat', chain: SERVICES })) return true;
  }
  return false;
}

/** Whether there is such a chain. Rejects with KernelCommandError when that cannot be told. */
export async function hasChain(
  runner: IptablesRunner,
  family: Family,
  { table, chain }: { readonly table: string; readonly chain: string },
): Promise<boolean> {
  try {
    return (await runner.run(family, ['-t', table, '-S', chain])).exitCode === 0;
  } catch (error) {
    if (error instanceof KernelCommandError && error.exitCode === 1) return false;
    throw error;
  }
}

async function hasTable({ nft }: SearchedRunners, family: Family): Promise<boolean> {
  const words = family === 'ipv4' ? 'ip' : 'ip6';
  return nft !== undefined && (await nft.listTable(words, TABLE)) !== undefined;
}
