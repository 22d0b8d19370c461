import { createConntrackRunner } from '../../src/kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../src/kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../src/kernel/runners/nft-runner.ts';
import { listenTcp } from '../../src/kernel/sockets.ts';
import { EventRecorder } from '../../src/kube/event-recorder.ts';
import { SharedInformers } from '../../src/kube/informers.ts';
import { resources } from '../../src/kube/resources.ts';
import type { IptablesRunner } from '../../src/netfilter/runner.ts';
import type { ProxyConfig } from '../../src/proxy/config/proxy-config.ts';
import { type Proxy as NodeProxy, startProxy } from '../../src/proxy/proxy-server.ts';
import { feedServiceFacts } from '../../src/proxy/service-facts-feed.ts';
import { buildNode } from './build-objects.ts';
import { FakeKubeClient } from './fake-kube-client.ts';
import { PacketLab, type PacketLabOptions } from './packet-lab.ts';
import { systemClock } from './system-clock.ts';

/** The ways in which a proxy can write rules. */
export const WAYS = ['iptables-nft', 'iptables-legacy', 'nftables'] as const;
export type Way = (typeof WAYS)[number];

/** Two endpoints 10.244.0.2 and .3, a pod 10.244.0.9 that sends, a client 192.0.2.7, around node-1, 172.18.0.2. */
export const LAB: PacketLabOptions = {
  family: 'ipv4',
  nodeAddresses: ['172.18.0.2'],
  backends: ['10.244.0.2:8080', '10.244.0.3:8080'],
  pods: ['10.244.0.9'],
  outside: ['192.0.2.7'],
};

/** A node with a running proxy in a packet lab. */
export interface ProxyNode {
  readonly lab: PacketLab;
  readonly client: FakeKubeClient;
  readonly proxy: NodeProxy;
  readonly iptables: IptablesRunner;
  /** What the proxy logged: nothing, when all is well. */
  readonly problems: string[];
}

export interface ProxyNodeOptions {
  readonly way: Way;
  readonly lab?: Partial<PacketLabOptions>;
  readonly config?: Partial<ProxyConfig>;
}

/** Starts a proxy of node-1 over an empty API; everything ends with `stack`. */
export async function startProxyNode(
  stack: AsyncDisposableStack,
  { way, lab: labOptions, config }: ProxyNodeOptions,
): Promise<ProxyNode> {
  const lab = stack.use(await PacketLab.create('node-1', { ...LAB, ...labOptions }));
  const client = new FakeKubeClient(systemClock);
  client.put(resources.nodes, buildNode({ name: 'node-1', ips: ['172.18.0.2'] }));
  const iptables = createIptablesRunner(lab.node, { backend: way === 'iptables-legacy' ? 'legacy' : 'nft' });
  const problems: string[] = [];
  const proxy = await startNodeProxy(stack, { lab, client, way, config, iptables, problems });
  return { lab, client, proxy, iptables, problems };
}

/** Starts a proxy, or a further one after the first was disposed of, on the node of a lab. */
export async function startNodeProxy(
  stack: AsyncDisposableStack,
  {
    lab,
    client,
    way,
    config,
    iptables,
    problems,
  }: Omit<ProxyNode, 'proxy'> & {
    readonly way: Way;
    readonly config?: Partial<ProxyConfig> | undefined;
  },
): Promise<NodeProxy> {
  const informers = stack.use(new SharedInformers(client, systemClock));
  const onError = (error: unknown): number => problems.push(String(error));
  const recorder = stack.use(new EventRecorder({ client, clock: systemClock, component: 'kube-proxy', onError }));
  return stack.use(
    await startProxy({
      client,
      clock: systemClock,
      informers,
      services: feedServiceFacts({ informers, recorder }),
      nodeName: 'node-1',
      config: {
        mode: way === 'nftables' ? 'nftables' : 'iptables',
        clusterCIDRs: ['10.244.0.0/16'],
        ...config,
      },
      runners: { iptables, nft: createNftRunner(lab.node), conntrack: createConntrackRunner(lab.node) },
      addresses: () => ['172.18.0.2', '127.0.0.1'],
      listen: (address) => listenTcp(lab.node, address),
      log: ({ message, error }) => problems.push(`${message} ${String(error)}`),
    }),
  );
}
