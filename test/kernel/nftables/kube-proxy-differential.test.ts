import { afterAll, describe, expect, test } from 'vitest';
import { links } from '../../../src/kernel/netlink/links.ts';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createNftRunner } from '../../../src/kernel/runners/nft-runner.ts';
import type { Service } from '../../../src/kube/generated/types.ts';
import { keyOf, resources } from '../../../src/kube/resources.ts';
import { type Evaluation, evaluatePacket } from '../../../src/netfilter/evaluate/evaluate-packet.ts';
import { parseTables } from '../../../src/netfilter/nftables/parse-tables.ts';
import type { Table } from '../../../src/netfilter/nftables/table.ts';
import type { Family } from '../../../src/netfilter/runner.ts';
import { ServiceFacts } from '../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { buildTable } from '../../../src/proxy/nftables/build-table.ts';
import { buildNode } from '../../helpers/build-objects.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { KUBE_PROXY, startKubeProxy, WITHOUT_KUBE_PROXY } from '../../helpers/kube-proxy-peer.ts';
import { NODES, RandomCluster, ZONES } from '../../helpers/random-services.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { systemClock } from '../../helpers/system-clock.ts';

const states = Number(process.env['TOWTANK_DIFFERENTIAL_STATES'] ?? 25);
const seed = Number(process.env['TOWTANK_SEED'] ?? 1);

if (KUBE_PROXY === undefined) process.stdout.write(`skipped: ${WITHOUT_KUBE_PROXY}\n`);

const nodeIPs = { ipv4: '172.18.0.2', ipv6: '2001:db8::2' } as const;
const podCIDRs = { ipv4: '10.10.0.0/16', ipv6: 'fd00:10::/64' } as const;
const senders = {
  ipv4: [
    ['network', '10.10.0.77'],
    ['network', '10.10.0.3'],
    ['host', nodeIPs.ipv4],
    ['network', '192.0.2.9'],
    ['network', '203.0.113.9'],
  ],
  ipv6: [
    ['network', 'fd00:10::77'],
    ['network', 'fd00:10::3'],
    ['host', nodeIPs.ipv6],
    ['network', '2001:db8::9'],
    ['network', '2001:db8:9::9'],
  ],
} as const;

interface Probe {
  readonly from: 'network' | 'host';
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly port: number;
}

// Every address and node port of every Service, an unused port of it, and every kind of sender.
function probesOf(services: readonly Service[], family: Family): Probe[] {
  const targets = services.flatMap(({ spec, status }) =>
    (spec?.ports ?? []).flatMap(({ port, nodePort, protocol = 'TCP' }) => {
      const vips = (status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
      const addresses = [spec?.clusterIP ?? '', ...(spec?.externalIPs ?? []), ...vips];
      return [
        ...addresses.map((destination) => ({ destination, protocol: protocol.toLowerCase(), port })),
        { destination: spec?.clusterIP ?? '', protocol: 'tcp', port: 9 },
        ...(nodePort === undefined
          ? []
          : [{ destination: nodeIPs[family], protocol: protocol.toLowerCase(), port: nodePort }]),
      ];
    }),
  );
  return targets.flatMap((target) => senders[family].map(([from, source]) => ({ from, source, ...target })));
}

function outcomeOf(table: Table, family: Family, { port, ...probe }: Probe): string {
  const { verdict, endpoints }: Evaluation = evaluatePacket(
    { nftables: [table] },
    { ...probe, sourcePort: 40_000, destinationPort: port },
    { localAddresses: [nodeIPs[family]] },
  );
  const shares = endpoints.map(
    ({ address, probability, masquerade }) => `${address} ${probability.toFixed(4)} ${masquerade}`,
  );
  return [verdict, ...shares].join(', ');
}

// kube-proxy 1.30 looks for services without endpoints before DNAT and before source ranges on the way out of the node;
// since 1.33 source ranges come first and the look-up comes after DNAT, as here.
function isKnownFault(ours: string, theirs: string, probe: Probe): boolean {
  if (probe.from !== 'host') return false;
  return (ours.startsWith('deliver') && theirs === 'drop') || (ours === 'drop' && theirs === 'reject');
}

function differences(ours: Table, theirs: Table, family: Family, services: readonly Service[]): string[] {
  return probesOf(services, family).flatMap((probe) => {
    const [mine, other] = [ours, theirs].map((table) => outcomeOf(table, family, probe)) as [string, string];
    return mine === other || isKnownFault(mine, other, probe)
      ? []
      : [`${JSON.stringify(probe)}: ${mine} against ${other}`];
  });
}

describe.skipIf(KUBE_PROXY === undefined)(
  'a real kube-proxy in nftables mode [needs KUBE_PROXY=path of its binary]',
  () => {
    const stack = new AsyncDisposableStack();
    afterAll(() => stack.disposeAsync());

    test.each(['ipv4', 'ipv6'] as const)(
      `treats every packet alike over random states of a cluster, ${states} times (%s, seed ${seed})`,
      { timeout: 300_000 },
      async (family) => {
        const client = new FakeKubeClient(systemClock);
        client.put(resources.nodes, buildNode({ name: NODES[0]!, ips: Object.values(nodeIPs), zone: ZONES[0]! }));
        const cluster = new RandomCluster(seededRandom(seed), family, { duplicates: false });
        const netns = stack.adopt(NetworkNamespace.create(`theirs-${family}`), (created) => created.delete());
        const addresses = [`${nodeIPs.ipv4}/32`, `${nodeIPs.ipv6}/128`];
        links.apply(netns, [
          { kind: 'addBridge', name: 'eth0', up: true },
          ...addresses.map((address) => ({ kind: 'addAddress', link: 'eth0', address }) as const),
        ]);
        const runner = createNftRunner(netns);
        const peer = stack.use(
          startKubeProxy(netns, {
            client,
            nodeName: NODES[0]!,
            mode: 'nftables',
            flags: [
              `--cluster-cidr=${podCIDRs.ipv4},${podCIDRs.ipv6}`,
              '--iptables-min-sync-period=10ms',
              '--feature-gates=ServiceTrafficDistribution=true,NFTablesProxyMode=true',
            ],
          }),
        );
        for (let state = 0; state < states; state++) {
          publish(client, cluster);
          const services = [...client.all(resources.services)];
          const ours = buildOurs(client, family);
          const compare = async (): Promise<string[]> => {
            const listing = await runner.listTable(ours.family, ours.name);
            return listing === undefined
              ? ['no table yet']
              : differences(ours, parseTables(listing)[0]!, family, services);
          };
          await expect.poll(compare, { timeout: 20_000, interval: 100, message: peer.log() }).toEqual([]);
        }
      },
    );
  },
);

// Balancing is ours alone, everything else must mean the same to both.
function publish(client: FakeKubeClient, cluster: RandomCluster): void {
  const facts = new ServiceFacts();
  for (let change = 0; change < 3; change++) cluster.change(facts);
  for (const service of client.all(resources.services)) {
    if (!cluster.services.has(keyOf(service))) client.remove(resources.services, keyOf(service));
  }
  for (const slice of client.all(resources.endpointSlices)) {
    if (!cluster.slices.has(keyOf(slice))) client.remove(resources.endpointSlices, keyOf(slice));
  }
  for (const service of cluster.services.values()) {
    const { annotations: _, ...metadata } = service.metadata ?? {};
    client.put(resources.services, { ...service, metadata });
  }
  for (const slice of cluster.slices.values()) client.put(resources.endpointSlices, slice);
}

function buildOurs(client: FakeKubeClient, family: Family): Table {
  const facts = new ServiceFacts();
  for (const service of client.all(resources.services)) facts.setService(keyOf(service), service);
  for (const slice of client.all(resources.endpointSlices)) facts.setSlice(keyOf(slice), slice);
  const node = buildNodeFacts({
    family,
    nodeName: NODES[0]!,
    zone: ZONES[0]!,
    nodeIP: nodeIPs[family],
    nodePortAddresses: { kind: 'list', addresses: [nodeIPs[family]] },
    localDetector: { kind: 'cidr', cidr: podCIDRs[family] },
  });
  using tracker = new StateTracker(facts, node, () => {});
  return buildTable(tracker.take().state);
}
