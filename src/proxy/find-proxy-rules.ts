import { KernelCommandError } from '../errors/kernel-command-error.ts';
import type { Family } from '../netfilter/runner.ts';
import type { ProxyRunners } from './create-backend.ts';
import { CANARY } from './iptables/chain-names.ts';

/** Rules of some proxy that are in a network namespace. */
export interface FoundProxyRules {
  readonly mode: 'iptables' | 'nftables';
  readonly family: Family;
}

/**
 * Looks for rules that a proxy of any mode wrote, ours or another. Two proxies in one network namespace destroy each other's
 * rules, and of the modes the later one wins: whoever starts a proxy on a machine of its own asks this first.
 */
export async function findProxyRules(runners: ProxyRunners): Promise<readonly FoundProxyRules[]> {
  const found: FoundProxyRules[] = [];
  for (const family of ['ipv4', 'ipv6'] as const) {
    if (await hasCanary(runners, family)) found.push({ mode: 'iptables', family });
    if (await hasTable(runners, family)) found.push({ mode: 'nftables', family });
  }
  return found;
}

async function hasCanary({ iptables }: ProxyRunners, family: Family): Promise<boolean> {
  try {
    return iptables !== undefined && (await iptables.run(family, ['-t', 'mangle', '-S', CANARY])).exitCode === 0;
  } catch (error) {
    if (error instanceof KernelCommandError && error.exitCode === 1) return false;
    throw error;
  }
}

async function hasTable({ nft }: ProxyRunners, family: Family): Promise<boolean> {
  const words = family === 'ipv4' ? 'ip' : 'ip6';
  return nft !== undefined && (await nft.listTable(words, 'kube-proxy')) !== undefined;
}
