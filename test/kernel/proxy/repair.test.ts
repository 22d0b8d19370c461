import { afterEach, describe, expect, it } from 'vitest';
import { resources } from '../../../src/kube/resources.ts';
import { IptablesBackend } from '../../../src/proxy/iptables/iptables-backend.ts';
import { buildEndpoint, buildEndpointSlice, buildService } from '../../helpers/build-objects.ts';
import { buildNodeFacts, buildProxyState } from '../../helpers/build-proxy-facts.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import type { PacketLab } from '../../helpers/packet-lab.ts';
import { startProxyNode } from '../../helpers/proxy-node.ts';

const FOREIGN = [
  '*nat',
  ':FOREIGN - [0:0]',
  '-A PREROUTING -d 198.51.100.1/32 -j FOREIGN',
  '-A FOREIGN -p tcp -m tcp --dport 4000 -j DNAT --to-destination 198.51.100.2:4000',
  'COMMIT',
  '*filter',
  '-A FORWARD -s 198.51.100.9/32 -m comment --comment "not yours" -j DROP',
  'COMMIT',
  '',
].join('\n');
const foreignLines = (saved: string): string[] => saved.split('\n').filter((line) => /198\.51\.100|FOREIGN/.test(line));

const ask = (lab: PacketLab, timeoutMs = 2000) =>
  lab.send({
    from: 'pod',
    source: '10.244.0.9',
    protocol: 'tcp',
    destination: '10.96.0.10',
    port: 80,
    timeoutMs,
  });
// Before the rules are there nobody answers: then it asks again soon.
const answered = (lab: PacketLab): Promise<void> =>
  expect.poll(() => ask(lab, 300)).toMatchObject({ kind: 'answered' });

describe.each(['iptables-nft', 'iptables-legacy'] as const)('rules on %s', (way) => {
  leaveNothing();
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  async function startWeb(syncPeriodMs = 200) {
    const node = await startProxyNode(stack, { way, config: { syncPeriodMs } });
    node.client.put(resources.services, buildService());
    node.client.put(resources.endpointSlices, buildEndpointSlice({ endpoints: [buildEndpoint()] }));
    await node.proxy.synced;
    await answered(node.lab);
    return node;
  }

  it.each([
    { what: 'all tables', tables: ['mangle', 'filter', 'nat'] },
    { what: 'nat alone', tables: ['nat'] },
    { what: 'filter alone', tables: ['filter'] },
  ])('come back when somebody flushes $what', async ({ tables }) => {
    const { lab, iptables, problems } = await startWeb();
    const before = (await iptables.save('ipv4')).split('\n').filter((line) => line.startsWith('-A'));
    await iptables.restore('ipv4', tables.map((table) => `*${table}\nCOMMIT\n`).join(''), { noflush: false });
    const saved = async () => (await iptables.save('ipv4')).split('\n').filter((line) => line.startsWith('-A'));
    expect(await saved()).not.toEqual(before);
    await expect.poll(saved).toEqual(before);
    expect(await ask(lab)).toMatchObject({ kind: 'answered' });
    expect(problems).toEqual([]);
  });

  it.each([
    ['nat', 'PREROUTING'],
    ['nat', 'KUBE-SERVICES'],
    ['filter', 'FORWARD'],
  ])('come back when somebody empties %s %s', async (table, chain) => {
    const { lab, iptables, problems } = await startWeb();
    const saved = async () => (await iptables.save('ipv4')).split('\n').filter((line) => line.startsWith('-A'));
    const before = await saved();
    await iptables.run('ipv4', ['-t', table, '-F', chain]);
    await expect.poll(saved).toEqual(before);
    expect(await ask(lab)).toMatchObject({ kind: 'answered' });
    expect(problems).toEqual([]);
  });

  it('of others stay as they are, through start, change, repair and clean-up', async () => {
    const { lab, client, proxy, iptables } = await startProxyNode(stack, { way });
    await proxy.synced;
    await iptables.restore('ipv4', FOREIGN, { noflush: true });
    const before = foreignLines(await iptables.save('ipv4'));
    expect(before).toHaveLength(4);
    client.put(resources.services, buildService());
    client.put(resources.endpointSlices, buildEndpointSlice({ endpoints: [buildEndpoint()] }));
    await answered(lab);
    expect(foreignLines(await iptables.save('ipv4'))).toEqual(before);
    proxy.resync();
    await expect
      .poll(() => proxy.metrics())
      .toMatch(/sync_full_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} 2/);
    expect(foreignLines(await iptables.save('ipv4'))).toEqual(before);
    await new IptablesBackend({ family: 'ipv4', runner: iptables, conntrackTcpBeLiberal: false }).cleanup();
    const after = await iptables.save('ipv4');
    expect(foreignLines(after)).toEqual(before);
    expect(after.split('\n').filter((line) => line.includes('KUBE-'))).toEqual([]);
  });

  it('that a former proxy left behind are replaced, and its stale chains go', async () => {
    const { iptables, proxy, client, lab } = await startProxyNode(stack, { way });
    await proxy.synced;
    await proxy[Symbol.asyncDispose]();
    const leftovers =
      '*nat\n:KUBE-SVC-OLDOLDOLDOLDOLDO - [0:0]\n:KUBE-SEP-OLDOLDOLDOLDOLDO - [0:0]\n-A KUBE-SERVICES -d 10.96.0.99/32 -j KUBE-SVC-OLDOLDOLDOLDOLDO\n-A KUBE-SVC-OLDOLDOLDOLDOLDO -j KUBE-SEP-OLDOLDOLDOLDOLDO\nCOMMIT\n';
    await iptables.restore('ipv4', leftovers, { noflush: true });
    client.put(resources.services, buildService());
    const backend = new IptablesBackend({ family: 'ipv4', runner: iptables, conntrackTcpBeLiberal: false });
    await backend.sync(buildProxyState([], buildNodeFacts()), 'all');
    const saved = await iptables.save('ipv4');
    expect(saved).not.toContain('OLDOLD');
    expect(saved.match(/-j KUBE-SERVICES/g)).toHaveLength(4);
    expect(await ask(lab)).not.toMatchObject({ kind: 'answered', backend: /:8080/ });
  });
});
