import { claimName } from '../kernel/claim-name.ts';
import { killMarked } from '../kernel/loopback/marked-programs.ts';
import { NetworkNamespace } from '../kernel/network-namespace.ts';
import { restoreResolver } from '../kernel/resolver-file.ts';
import { createConntrackRunner } from '../kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../kernel/runners/nft-runner.ts';
import { rulesModeOf } from '../proxy/config/proxy-config.ts';
import { createBackend } from '../proxy/create-backend.ts';
import { claimNetwork, resolverName } from './claim-network.ts';
import { systemClock } from './compose/system-clock.ts';
import { markOfCluster, type StartSpec } from './start-spec.ts';

/** Removes what a cluster without namespaces of its own has put into this one: programs, links, routes, rules, the resolver. */
export async function cleanHost(spec: StartSpec): Promise<void> {
  if (spec.tier === 'loopback') cleanLoopback(spec);
  else await cleanFlat(spec);
}

function cleanLoopback(spec: StartSpec): void {
  killMarked(markOfCluster(spec));
  // Unless another cluster has it.
  if (claimName(resolverName) !== undefined) restoreResolver();
}

async function cleanFlat({ config }: StartSpec): Promise<void> {
  // What another cluster has put here is not ours to remove.
  if (!claimNetwork()) return;
  restoreResolver();
  const { removeFlatNetwork } = await import('../kernel/topology/flat-removal.ts');
  removeFlatNetwork();
  const netns = NetworkNamespace.current();
  const runners = {
    iptables: createIptablesRunner(netns, { backend: config.proxy.iptablesBackend }),
    nft: createNftRunner(netns),
    conntrack: createConntrackRunner(netns),
  };
  const mode = rulesModeOf({
    mode: config.nodes[0]?.proxyMode ?? 'nftables',
    portalRules: config.proxy.userspace?.portalRules ?? 'nftables',
  });
  for (const family of config.network.ipFamilies) {
    const backend = await createBackend({
      config: { mode, portalRules: mode },
      family: family === 'IPv4' ? 'ipv4' : 'ipv6',
      runners,
      clock: systemClock,
      conntrackTcpBeLiberal: false,
    });
    await backend.cleanup();
  }
}
