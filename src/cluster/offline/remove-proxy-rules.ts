import type { Family } from '../../netfilter/runner.ts';
import { DEFAULT_PROXY_CONFIG, type RulesMode } from '../../proxy/config/proxy-config.ts';
import { createBackend } from '../../proxy/create-backend.ts';
import { systemClock } from '../compose/system-clock.ts';
import type { HostRunners } from './host-runners.ts';

/** Removes what a proxy, ours or another, wrote in one mode into this network namespace. */
export async function removeProxyRules(
  { nft, iptables, otherIptables }: HostRunners,
  mode: RulesMode,
  families: readonly Family[],
): Promise<void> {
  const config = { ...DEFAULT_PROXY_CONFIG, mode };
  const all = mode === 'nftables' ? [{ nft }] : [{ iptables }, { iptables: otherIptables }];
  for (const runners of all) {
    if (Object.values(runners).every((runner) => runner === undefined)) continue;
    for (const family of families) {
      const backend = await createBackend({
        config,
        family,
        runners,
        clock: systemClock,
        conntrackTcpBeLiberal: false,
      });
      await backend.cleanup();
    }
  }
}
