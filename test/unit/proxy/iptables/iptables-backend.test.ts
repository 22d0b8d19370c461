import { describe, expect, it } from 'vitest';
import type { NodeNetwork } from '../../../../src/proxy/facts/node-network.ts';
import type { SelectedPort } from '../../../../src/proxy/facts/select-endpoints.ts';
import { buildRuleset } from '../../../../src/proxy/iptables/build-ruleset.ts';
import { readExisting } from '../../../../src/proxy/iptables/existing-rules.ts';
import { IptablesBackend } from '../../../../src/proxy/iptables/iptables-backend.ts';
import { JUMPS } from '../../../../src/proxy/iptables/jumps.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';
import { comparableRules } from '../../../helpers/compare-rules.ts';
import { FakeIptables } from '../../../helpers/fake-iptables.ts';

const OPTIONS = { conntrackTcpBeLiberal: false };
const ORDERED = { unordered: /^$/ };
// The same object each time: other facts of the node mean a full sync.
const NODE = buildNodeFacts();
const stateOf = (ports: readonly SelectedPort[], node = NODE) => buildProxyState(ports, node);

function start() {
  const kernel = new FakeIptables();
  return { kernel, backend: new IptablesBackend({ family: 'ipv4', runner: kernel, ...OPTIONS }) };
}

function web(index: number, ips: readonly string[] = [`10.244.0.${index + 2}`], extra = {}): SelectedPort {
  const port = buildServicePort({ name: `web-${index}`, clusterIP: `10.96.0.${index + 10}`, ...extra });
  return buildSelectedPort(
    port,
    ips.map((ip) => buildProxyEndpoint({ ip })),
  );
}

const keys = (...ports: readonly SelectedPort[]) => new Set(ports.map(({ port }) => port.key));

describe('a full sync', () => {
  it('is one restore that leaves tables and chains of others alone', async () => {
    const { kernel, backend } = start();
    await kernel.restore('ipv4', '*filter\n:OTHER - [0:0]\n-A INPUT -j OTHER\n-A OTHER -j ACCEPT\nCOMMIT\n', {
      noflush: true,
    });
    await backend.sync(stateOf([web(1)]), 'all');
    expect(kernel.restored).toHaveLength(2);
    const filter = kernel.ruleset('ipv4').tables.get('filter')!;
    expect(filter.chains.get('OTHER')?.rules).toHaveLength(1);
    expect(filter.chains.get('INPUT')?.rules.at(-1)?.target).toEqual({ kind: 'jump', chain: 'OTHER' });
  });

  it("counts a proxy's rules as kube-proxy does: without jumps from built-in chains and KUBE-FIREWALL", async () => {
    const { kernel, backend } = start();
    const count = (name: 'filter' | 'nat'): number => {
      const chains = [...kernel.ruleset('ipv4').tables.get(name)!.chains.values()];
      const own = chains.filter((chain) => chain.name.startsWith('KUBE-') && chain.name !== 'KUBE-FIREWALL');
      return own.reduce((sum, { rules }) => sum + rules.length, 0);
    };
    const full = await backend.sync(stateOf([web(1), web(2)]), 'all');
    expect(full.rules).toEqual({
      filter: { total: count('filter'), written: count('filter') },
      nat: { total: count('nat'), written: count('nat') },
    });
    const state = stateOf([web(1, ['10.244.0.3', '10.244.0.9'])]);
    const partial = await backend.sync(state, keys(web(1), web(2)));
    expect(partial.rules).toMatchObject({ filter: { total: count('filter') }, nat: { total: count('nat') } });
  });

  it('adds no second jump from built-in chains, and removes chains that no Service has any more', async () => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1), web(2)]), 'all');
    const again = new IptablesBackend({ family: 'ipv4', runner: kernel, ...OPTIONS });
    const state = stateOf([web(2)]);
    await again.sync(state, 'all');
    expect(comparableRules(kernel.ruleset('ipv4'), ORDERED)).toEqual(
      comparableRules(buildRuleset(state, OPTIONS), ORDERED),
    );
  });

  it('does not touch KUBE-FIREWALL of the kubelet where it has no rule of its own for it', async () => {
    const { kernel, backend } = start();
    await kernel.restore(
      'ipv4',
      '*filter\n:KUBE-FIREWALL - [0:0]\n-A KUBE-FIREWALL -s 192.0.2.0/24 -j DROP\nCOMMIT\n',
      {
        noflush: true,
      },
    );
    await backend.sync(stateOf([], buildNodeFacts({ localhostNodePorts: false })), 'all');
    expect(kernel.ruleset('ipv4').tables.get('filter')?.chains.get('KUBE-FIREWALL')?.rules).toHaveLength(1);
  });

  it('lets iptables-nft read a large table at once, but only behind the jumps', async () => {
    const { kernel, backend } = start();
    const many = Array.from({ length: 400 }, (_, index) =>
      web(index, ['10.244.0.2'], { clusterIP: `10.97.${index >> 8}.${index & 255}` }),
    );
    await backend.sync(stateOf(many), 'all');
    const lines = kernel.restored[0]!.split('\n');
    const nat = lines.slice(lines.indexOf('*nat'));
    expect(nat.indexOf('-S')).toBeGreaterThan(nat.findLastIndex((line) => line.startsWith('-I ')));
    expect(nat.indexOf('-S')).toBeLessThan(nat.findIndex((line) => line.startsWith(':KUBE-SVC-')));
  });
});

describe('a partial sync', () => {
  it('writes no shared chain and no unchanged endpoint again', async () => {
    const { kernel, backend } = start();
    const before = web(1, ['10.244.0.2', '10.244.0.3']);
    await backend.sync(stateOf([before, web(2)]), 'all');
    const after = buildSelectedPort(
      before.port,
      ['10.244.0.2', '10.244.0.3', '10.244.0.4'].map((ip) => buildProxyEndpoint({ ip })),
    );
    const report = await backend.sync(stateOf([after, web(2)]), keys(after));
    expect(report).toMatchObject({ kind: 'partial', quarantined: [] });
    const text = kernel.restored.at(-1)!;
    expect(text.match(/^:KUBE-SVC-/gm)).toHaveLength(1);
    expect(text.match(/^:KUBE-SEP-/gm)).toHaveLength(1);
    expect(text).not.toContain('KUBE-SERVICES');
    expect(text).not.toContain('*filter');
  });

  it('does nothing when nothing differs', async () => {
    const { kernel, backend } = start();
    const state = stateOf([web(1)]);
    await backend.sync(state, 'all');
    expect(await backend.sync(state, new Set())).toMatchObject({ kind: 'nothing' });
    expect(kernel.restored).toHaveLength(1);
  });

  it('becomes a full one when something about the node changed', async () => {
    const { backend } = start();
    await backend.sync(stateOf([web(1)]), 'all');
    const node: NodeNetwork = buildNodeFacts({ masqueradeAll: true });
    expect(await backend.sync(stateOf([web(1)], node), new Set())).toMatchObject({ kind: 'full' });
  });

  it('that fails because somebody changed our chains is made good by a full one', async () => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1)]), 'all');
    kernel.flush('ipv4', 'nat');
    const state = stateOf([web(1), web(2)]);
    const report = await backend.sync(state, keys(web(2)));
    expect(report).toMatchObject({ kind: 'full', recoveredFrom: { attempt: 'partial' } });
    expect(comparableRules(kernel.ruleset('ipv4'), ORDERED)).toEqual(
      comparableRules(buildRuleset(state, OPTIONS), ORDERED),
    );
  });

  it('counts rules as kube-proxy does: all of ours by table, and those just written', async () => {
    const { backend } = start();
    const none = web(3, []);
    const first = await backend.sync(stateOf([web(1), none]), 'all');
    expect(first.rules['filter']?.total).toBe(3 + 1);
    const second = await backend.sync(stateOf([web(1), web(2), none]), keys(web(2)));
    expect(second.rules['nat']!.total - first.rules['nat']!.total).toBe(second.rules['nat']!.written);
  });
});

describe('a ServicePort that the kernel refuses', () => {
  const refused = (rule: string) => rule.includes('10.244.0.66');

  it.each(['from the start', 'later'])('is left out %s, everything else is applied', async (when) => {
    const { kernel, backend } = start();
    kernel.refuse = refused;
    const bad = web(50, ['10.244.0.66']);
    const good = Array.from({ length: 20 }, (_, index) => web(index));
    if (when === 'later') await backend.sync(stateOf(good), 'all');
    const report = await backend.sync(stateOf([...good, bad]), when === 'later' ? keys(bad) : 'all');
    expect(report.quarantined.map(({ key }) => key)).toEqual([bad.port.key]);
    expect(report.recoveredFrom).toBeDefined();
    const wanted = buildRuleset(stateOf(good), OPTIONS);
    expect(comparableRules(kernel.ruleset('ipv4'), ORDERED)).toEqual(comparableRules(wanted, ORDERED));
  });

  it('is not tried again until something about it changes', async () => {
    const { kernel, backend } = start();
    kernel.refuse = refused;
    const bad = web(50, ['10.244.0.66']);
    await backend.sync(stateOf([web(1), bad]), 'all');
    const attempts = kernel.restored.length;
    const report = await backend.sync(stateOf([web(1), web(2), bad]), keys(web(2)));
    expect(report.quarantined).toHaveLength(1);
    expect(report.recoveredFrom).toBeUndefined();
    expect(kernel.restored).toHaveLength(attempts + 1);
    const mended = web(50, ['10.244.0.67']);
    const after = await backend.sync(stateOf([web(1), web(2), mended]), keys(mended));
    expect(after.quarantined).toEqual([]);
    expect(await kernel.save('ipv4')).toContain('10.244.0.67');
  });

  it('is forgotten when it is gone', async () => {
    const { kernel, backend } = start();
    kernel.refuse = refused;
    await backend.sync(stateOf([web(1), web(50, ['10.244.0.66'])]), 'all');
    expect((await backend.sync(stateOf([web(1)]), 'all')).quarantined).toEqual([]);
  });

  it('is not blamed when even the rules without Services are refused', async () => {
    const { kernel, backend } = start();
    kernel.refuse = (rule) => rule.includes('MASQUERADE');
    await expect(backend.sync(stateOf([web(1)]), 'all')).rejects.toThrow('RULE_APPEND failed');
    kernel.refuse = () => false;
    await backend.sync(stateOf([web(1)]), 'all');
    expect(await kernel.save('ipv4')).toContain('10.96.0.11/32');
  });
});

describe('above a thousand endpoints', () => {
  const many = Array.from({ length: 1001 }, (_, index) => `10.244.${index >> 8}.${index & 255}`);

  it('rules of endpoints have no comments, those that lead to Services keep them', async () => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1, many)]), 'all');
    const saved = await kernel.save('ipv4');
    expect(saved).toContain('"ns1/web-1:p80 cluster IP"');
    expect(saved).not.toMatch(/-A KUBE-SEP-.*comment/);
    expect(saved).not.toContain(' -> ');
  });

  it('chains lose their comments as they are written again', async () => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1), web(2)]), 'all');
    const large = web(3, many);
    await backend.sync(stateOf([web(1), web(2), large]), keys(large));
    expect(await kernel.save('ipv4')).toContain('ns1/web-1:p80 -> 10.244.0.3:80');
    await backend.sync(stateOf([web(1), web(2), large]), 'all');
    expect(await kernel.save('ipv4')).not.toContain(' -> ');
  });
});

describe('rules of a former proxy', () => {
  it.each([
    ['all of them', '', []],
    ['but not what a kubelet owns', ':KUBE-KUBELET-CANARY - [0:0]\n', ['KUBE-FIREWALL', 'KUBE-MARK-MASQ']],
  ] as const)('are cleaned up, %s', async (_which, kubelet, left) => {
    const { kernel, backend } = start();
    await kernel.restore('ipv4', `*mangle\n${kubelet}COMMIT\n`, { noflush: true });
    await backend.sync(stateOf([web(1)]), 'all');
    await backend.cleanup();
    const chains = [...kernel.ruleset('ipv4').tables.values()].flatMap((table) => [...table.chains.keys()]);
    expect(chains.filter((name) => name.startsWith('KUBE-') && name !== 'KUBE-KUBELET-CANARY')).toEqual(left);
    await backend.cleanup();
  });

  it('are written and cleaned up beside chains and jumps of others that begin alike', async () => {
    const { kernel, backend } = start();
    const foreign = [
      '-A INPUT -m comment --comment "kube-router netpol" -j KUBE-ROUTER-INPUT',
      '-A FORWARD -m comment --comment "as -j KUBE-FORWARD" -j KUBE-ROUTER-INPUT',
    ];
    const input = ['*filter', ':KUBE-ROUTER-INPUT - [0:0]', ...foreign, '-A KUBE-ROUTER-INPUT -j ACCEPT', 'COMMIT', ''];
    await kernel.restore('ipv4', input.join('\n'), { noflush: true });
    await backend.sync(stateOf([web(1)]), 'all');
    await backend.cleanup();
    const saved = await kernel.save('ipv4');
    for (const line of foreign) expect(saved).toContain(line);
  });

  it.each(['-m set --match-set mine src -j KUBE-ROUTER-INPUT', '-m physdev --physdev-is-in -j KUBE-SERVICES'])(
    'are put beside a rule of others that cannot be read: %s',
    (rule) => {
      const { missingJumps, jumps } = readExisting(`*filter\n:INPUT ACCEPT [0:0]\n-A INPUT ${rule}\nCOMMIT\n`);
      expect(missingJumps).toHaveLength(JUMPS.length);
      expect(jumps.get('filter')).toEqual([`INPUT ${rule}`]);
    },
  );

  it('are intact until somebody removes chains or rules', async () => {
    const { kernel, backend } = start();
    expect(await backend.isIntact()).toBe(true);
    await backend.sync(stateOf([web(1)]), 'all');
    expect(await backend.isIntact()).toBe(true);
    for (const table of ['mangle', 'nat', 'filter'] as const) {
      kernel.flush('ipv4', table);
      expect(await backend.isIntact()).toBe(false);
      await backend.sync(stateOf([web(1)]), 'all');
      expect(await backend.isIntact()).toBe(true);
    }
  });

  it.each([
    ['nat', 'PREROUTING'],
    ['nat', 'OUTPUT'],
    ['nat', 'POSTROUTING'],
    ['nat', 'KUBE-SERVICES'],
    ['filter', 'INPUT'],
    ['filter', 'FORWARD'],
    ['filter', 'OUTPUT'],
  ] as const)('are not intact when somebody empties %s %s', async (table, chain) => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1)]), 'all');
    kernel.flushChain('ipv4', table, chain);
    expect(await backend.isIntact()).toBe(false);
    await backend.sync(stateOf([web(1)]), 'all');
    expect(await backend.isIntact()).toBe(true);
  });
});

describe('when the kernel tells of changes', () => {
  const several = (count: number) => stateOf(Array.from({ length: count }, (_, index) => web(index + 1)));

  it('rules are looked at only after one', async () => {
    const { kernel, backend } = start();
    let generation = 1;
    kernel.generation = async () => String(generation);
    await backend.sync(several(1), 'all');
    const before = kernel.restored.length;
    for (let i = 0; i < 3; i++) expect(await backend.isIntact()).toBe(true);
    expect(kernel.restored).toHaveLength(before + 1);
    kernel.flush('ipv4', 'nat');
    generation++;
    expect(await backend.isIntact()).toBe(false);
    await backend.sync(several(1), 'all');
    expect(await backend.isIntact()).toBe(true);
  });

  it('a large table of iptables-legacy is looked at whole after a change of somebody else, and not after our own', async () => {
    const { kernel, backend } = start();
    kernel.kernelInterface = 'legacy';
    let generation = 1;
    kernel.generation = async () => String(generation);
    await backend.sync(several(2000), 'all');
    expect(await backend.isIntact()).toBe(true);
    expect(kernel.restored.at(-1)).not.toContain('*nat');
    kernel.flushChain('ipv4', 'nat', 'PREROUTING');
    generation++;
    expect(await backend.isIntact()).toBe(false);
    expect(kernel.restored.at(-1)).toContain('*nat');
  });
});

describe('while somebody else holds the lock of iptables', () => {
  it('no ServicePort is found guilty, and the sync fails', async () => {
    const { kernel, backend } = start();
    const state = stateOf([web(1), web(2)]);
    kernel.isLocked = (restore) => restore % 2 === 1;
    await expect(backend.sync(state, 'all')).rejects.toMatchObject({ exitCode: 4 });
    kernel.isLocked = () => false;
    expect((await backend.sync(state, 'all')).quarantined).toEqual([]);
    const changed = web(1, ['10.244.0.9']);
    kernel.isLocked = () => true;
    await expect(backend.sync(stateOf([changed, web(2)]), keys(changed))).rejects.toMatchObject({ exitCode: 4 });
    kernel.isLocked = () => false;
    const report = await backend.sync(stateOf([changed, web(2)]), 'all');
    expect(report.quarantined).toEqual([]);
    expect(kernel.ruleset('ipv4').tables.get('nat')).toEqual(
      buildRuleset(stateOf([changed, web(2)]), OPTIONS).tables.get('nat'),
    );
  });

  it('whether rules are there cannot be told', async () => {
    const { kernel, backend } = start();
    await backend.sync(stateOf([web(1)]), 'all');
    kernel.isLocked = () => true;
    await expect(backend.isIntact()).rejects.toMatchObject({ exitCode: 4 });
  });
});
