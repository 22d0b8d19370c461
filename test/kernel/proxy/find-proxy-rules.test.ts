import { describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { createBackend } from '../../../src/proxy/create-backend.ts';
import { findProxyRules } from '../../../src/proxy/find-proxy-rules.ts';
import { buildNodeFacts, buildProxyState } from '../../helpers/build-proxy-facts.ts';
import { systemClock } from '../../helpers/system-clock.ts';

describe('rules of a proxy are found', () => {
  it.each(['iptables', 'nftables'] as const)('in %s mode, and no more after clean-up', async (mode) => {
    await using netns = NetworkNamespace.create('node-1');
    const runners = { iptables: createIptablesRunner(netns, { backend: 'auto' }), nft: createNftRunner(netns) };
    expect(await findProxyRules(runners)).toEqual([]);
    const backend = await createBackend({
      config: { mode, portalRules: mode },
      family: 'ipv4',
      runners,
      clock: systemClock,
      conntrackTcpBeLiberal: false,
    });
    await backend.sync(buildProxyState([], buildNodeFacts()), 'all');
    expect(await findProxyRules(runners)).toEqual([{ mode, family: 'ipv4' }]);
    await backend.cleanup();
    expect(await findProxyRules(runners)).toEqual([]);
  });
});
