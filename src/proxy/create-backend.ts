import type { Clock } from '../kube/clock.ts';
import type { ConntrackRunner, Family, IptablesRunner, NftRunner } from '../netfilter/runner.ts';
import type { ProxyMode } from './config/proxy-config.ts';
import type { ProxyBackend } from './proxy-backend.ts';

/** The programs of one node's network namespace. A mode needs its own only. */
export interface ProxyRunners {
  readonly iptables?: IptablesRunner | undefined;
  readonly nft?: NftRunner | undefined;
  readonly conntrack?: ConntrackRunner | undefined;
}

export interface BackendOptions {
  readonly mode: ProxyMode;
  readonly family: Family;
  readonly runners: ProxyRunners;
  readonly clock: Clock;
  readonly conntrackTcpBeLiberal: boolean;
}

/** Makes the backend of a mode; the code of the other is not loaded. Throws TypeError without its runner. */
export async function createBackend({
  mode,
  family,
  runners,
  clock,
  ...options
}: BackendOptions): Promise<ProxyBackend> {
  if (mode === 'nftables') {
    const { NftablesBackend } = await import('./nftables/nftables-backend.ts');
    return new NftablesBackend({ family, runner: needed(runners.nft, 'nft'), clock });
  }
  const { IptablesBackend } = await import('./iptables/iptables-backend.ts');
  return new IptablesBackend({ family, runner: needed(runners.iptables, 'iptables'), ...options });
}

function needed<T>(runner: T | undefined, name: string): T {
  if (runner === undefined) throw new TypeError(`this proxy mode needs the ${name} runner`);
  return runner;
}
