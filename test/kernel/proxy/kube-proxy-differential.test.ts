import { afterAll, describe, expect, it } from 'vitest';
import { NetworkNamespace } from '../../../src/kernel/network-namespace.ts';
import { createIptablesRunner } from '../../../src/kernel/runners/iptables-runner.ts';
import { SharedInformers } from '../../../src/kube/informers.ts';
import { keyOf, resources } from '../../../src/kube/resources.ts';
import { parseRuleset } from '../../../src/netfilter/iptables/parse-ruleset.ts';
import type { Family } from '../../../src/netfilter/runner.ts';
import { ServiceFacts } from '../../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../../src/proxy/facts/state-tracker.ts';
import { buildRuleset } from '../../../src/proxy/iptables/build-ruleset.ts';
import { startProxy } from '../../../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../../../src/proxy/service-facts-feed.ts';
import { buildNode } from '../../helpers/build-objects.ts';
import { buildNodeFacts } from '../../helpers/build-proxy-facts.ts';
import { comparableRules } from '../../helpers/compare-rules.ts';
import { FakeKubeClient } from '../../helpers/fake-kube-client.ts';
import { KUBE_PROXY, startKubeProxy, WITHOUT_KUBE_PROXY } from '../../helpers/kube-proxy-peer.ts';
import { NODES, RandomCluster, ZONES } from '../../helpers/random-services.ts';
import { seededRandom } from '../../helpers/seeded-random.ts';
import { systemClock } from '../../helpers/system-clock.ts';

const STATES = Number(process.env['TOWTANK_DIFFERENTIAL_STATES'] ?? 40);
const SEED = Number(process.env['TOWTANK_SEED'] ?? 1);

if (KUBE_PROXY === undefined) process.stdout.write(`skipped: ${WITHOUT_KUBE_PROXY}\n`);

describe.skipIf(KUBE_PROXY === undefined)(
  'a real kube-proxy in a twin namespace [needs KUBE_PROXY=path of its binary]',
  () => {
    const stack = new AsyncDisposableStack();
    afterAll(() => stack.disposeAsync());

    it.each(['ipv4', 'ipv6'] as const)(
      `writes the same iptables rules for random states of a cluster, ${STATES} times (%s, seed ${SEED})`,
      { timeout: 300_000 },
      async (family) => {
        const client = new FakeKubeClient(systemClock);
        client.put(
          resources.nodes,
          buildNode({ name: NODES[0]!, ips: ['172.18.0.2', '2001:db8::2'], zone: ZONES[0]! }),
        );
        const cluster = new RandomCluster(seededRandom(SEED), family, { duplicates: false });
        const [ours, theirs] = [`${family}-ours`, `${family}-theirs`].map((name) =>
          stack.adopt(NetworkNamespace.create(name), (netns) => netns.delete()),
        ) as [NetworkNamespace, NetworkNamespace];
        await startOurs(stack, { client, netns: ours });
        const peer = stack.use(
          startKubeProxy(theirs, {
            client,
            nodeName: NODES[0]!,
            mode: 'iptables',
            flags: [
              '--cluster-cidr=10.10.0.0/16,fd00:10::/64',
              '--iptables-min-sync-period=10ms',
              '--feature-gates=ServiceTrafficDistribution=true',
            ],
          }),
        );
        for (let state = 0; state < STATES; state++) {
          publish(client, cluster);
          const expected = expectedRules(client, family);
          const options = { timeout: 15_000, interval: 50 };
          await expect.poll(() => rulesOf(ours, family), options).toEqual(expected);
          await expect.poll(() => rulesOf(theirs, family), { ...options, message: peer.log() }).toEqual(expected);
        }
      },
    );
  },
);

async function startOurs(
  stack: AsyncDisposableStack,
  { client, netns }: { readonly client: FakeKubeClient; readonly netns: NetworkNamespace },
): Promise<void> {
  const informers = stack.use(new SharedInformers(client, systemClock));
  const proxy = stack.use(
    await startProxy({
      client,
      clock: systemClock,
      informers,
      services: feedServiceFacts({ informers }),
      nodeName: NODES[0]!,
      config: { clusterCIDRs: ['10.10.0.0/16', 'fd00:10::/64'] },
      runners: { iptables: createIptablesRunner(netns, { backend: 'auto' }) },
      addresses: () => [],
      log: ({ message, error }) => expect.unreachable(`${message} ${String(error)}`),
    }),
  );
  await proxy.synced;
}

// Balancing is ours alone, everything else must mean the same to both.
function publish(client: FakeKubeClient, cluster: RandomCluster): void {
  const facts = new ServiceFacts();
  for (let change = 0; change < 3; change++) cluster.change(facts);
  const services = [...cluster.services].map(([key, service]) => {
    const { annotations: _, ...metadata } = service.metadata ?? {};
    return [key, { ...service, metadata }] as const;
  });
  for (const key of client.all(resources.services).map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`)) {
    if (!cluster.services.has(key)) client.remove(resources.services, key);
  }
  for (const key of client
    .all(resources.endpointSlices)
    .map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`)) {
    if (!cluster.slices.has(key)) client.remove(resources.endpointSlices, key);
  }
  for (const [, service] of services) client.put(resources.services, service);
  for (const slice of cluster.slices.values()) client.put(resources.endpointSlices, slice);
}

async function rulesOf(netns: NetworkNamespace, family: Family): Promise<string[]> {
  const runner = createIptablesRunner(netns, { backend: 'auto' });
  return comparableRules(parseRuleset(family, await runner.save(family)));
}

function expectedRules(client: FakeKubeClient, family: Family): string[] {
  const facts = new ServiceFacts();
  for (const service of client.all(resources.services)) facts.setService(keyOf(service), service);
  for (const slice of client.all(resources.endpointSlices)) facts.setSlice(keyOf(slice), slice);
  const node = buildNodeFacts({
    family,
    nodeName: NODES[0]!,
    zone: ZONES[0]!,
    nodeIP: family === 'ipv4' ? '172.18.0.2' : '2001:db8::2',
    localDetector: { kind: 'cidr', cidr: family === 'ipv4' ? '10.10.0.0/16' : 'fd00:10::/64' },
  });
  using tracker = new StateTracker(facts, node, () => {});
  return comparableRules(buildRuleset(tracker.take().state, { conntrackTcpBeLiberal: false }));
}
