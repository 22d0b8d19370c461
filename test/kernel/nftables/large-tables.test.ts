import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import { parseTables } from '../../../src/netfilter/nftables/parse-tables.ts';
import type { SelectedPort } from '../../../src/proxy/facts/select-endpoints.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import { NftablesBackend } from '../../../src/proxy/nftables/nftables-backend.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../helpers/build-proxy-facts.ts';
import { leaveNothing } from '../../helpers/leak-check.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

leaveNothing();

let netns: NetworkNamespace;
beforeAll(() => {
  netns = NetworkNamespace.create('nft-large');
});
afterAll(() => netns.delete());

const node = buildNodeFacts();

function services(count: number): SelectedPort[] {
  return Array.from({ length: count }, (_, index) => {
    const place = `${index >> 8}.${index & 255}`;
    const port = buildServicePort({
      name: `svc-${index}`,
      clusterIP: `10.96.${place}`,
      nodePort: 30_000 + (index % 2768),
    });
    const endpoints = [1, 2, 3].map((net) => buildProxyEndpoint({ ip: `10.${200 + net}.${place}` }));
    return buildSelectedPort(port, endpoints, node);
  });
}

// Without privileges outside, one transaction may hold some 400 KB: these take several times that.
describe.each([450, 1500])('a table of %i Services', (count) => {
  const ports = services(count);
  const state = buildProxyState(ports, node);

  test('stands as it was built, whatever the limits of a socket are', async () => {
    const runner = createNftRunner(netns);
    const backend = new NftablesBackend({ family: 'ipv4', runner, clock: new SteppedClock() });
    const report = await backend.sync(state, 'all');
    expect(report.quarantined).toEqual([]);
    const built = buildTable(state);
    const [listed] = parseTables((await runner.listTable('ip', 'kube-proxy'))!);
    expect([...listed!.chains.keys()].sort()).toEqual([...built.chains.keys()].sort());
    for (const [name, set] of built.sets) {
      expect(new Set(listed!.sets.get(name)?.elements.keys()), name).toEqual(new Set(set.elements.keys()));
    }
  });

  test('is changed in place for one endpoint', async () => {
    const runner = createNftRunner(netns);
    const backend = new NftablesBackend({ family: 'ipv4', runner, clock: new SteppedClock() });
    await backend.sync(state, 'all');
    const [first, ...others] = ports;
    const moved = buildSelectedPort(first!.port, [buildProxyEndpoint({ ip: '10.1.2.3' })], node);
    const report = await backend.sync(buildProxyState([moved, ...others], node), new Set([moved.port.key]));
    expect(report.kind).toBe('partial');
    expect(report.rules['kube-proxy']!.written).toBeLessThan(5);
    expect(await runner.listTable('ip', 'kube-proxy')).toContain('10.1.2.3 . 10.1.2.3 . tcp . 80');
  });
});
