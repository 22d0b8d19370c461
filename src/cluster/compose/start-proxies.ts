import { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { createConntrackRunner } from '../../kernel/runners/conntrack-runner.ts';
import { createIptablesRunner } from '../../kernel/runners/iptables-runner.ts';
import { createNftRunner } from '../../kernel/runners/nft-runner.ts';
import { listenTcp } from '../../kernel/sockets.ts';
import type { KernelThread } from '../../kernel/thread/kernel-thread-handle.ts';
import type { NodeNetwork } from '../../kernel/topology/node-network.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EventRecorder } from '../../kube/event-recorder.ts';
import type { SharedInformers } from '../../kube/informers.ts';
import { type Proxy as NodeProxy, type ProxyOptions, startProxy } from '../../proxy/proxy-server.ts';
import { feedServiceFacts } from '../../proxy/service-facts-feed.ts';
import type { Transport } from '../../proxy/userspace/transport.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ClusterConfig, ProxyMode } from '../config/cluster-config.ts';
import type { ComponentHealth } from './component-health.ts';
import { emptyAtFirst } from './empty-at-first.ts';
import { explainRefusals } from './explain-refusals.ts';
import { FEW_NODES } from './few-nodes.ts';
import { nodeSockets } from './node-sockets.ts';
import { nodeSysctl } from './node-sysctl.ts';
import { systemClock } from './system-clock.ts';

export interface ProxiesOptions {
  readonly client: KubeClient;
  readonly informers: SharedInformers;
  readonly config: ClusterConfig;
  readonly plan: AddressPlan;
  readonly networks: ReadonlyMap<string, NodeNetwork>;
  /** Starts the programs that write rules. */
  readonly thread: KernelThread | undefined;
  readonly health: ComponentHealth;
  /** Carries the traffic of nodes in userspace mode; undefined when there are none. */
  readonly transport: Transport | undefined;
}

/** Starts one kube-proxy per node; they share what is equal for all nodes. Resolves with them by node name, not yet synced. */
export async function startProxies(options: ProxiesOptions): Promise<ReadonlyMap<string, NodeProxy>> {
  const { informers, plan, networks } = options;
  const services = feedServiceFacts({ informers, recorder: createRecorder(options) });
  // Rules of a namespace that all nodes share are one proxy's work: that of the first node.
  const served = isShared(networks) ? plan.nodes.slice(0, 1) : plan.nodes;
  const proxies = await Promise.all(
    served.map(async ({ name, proxyMode }) => {
      const network = networks.get(name)!;
      const own = nodeOptions(options, network, proxyMode);
      // What needs no rules is not refused by the kernel's lack of any.
      const { log, synced } = explainRefusals(own, ...(network.netns.place?.loopback ? [async () => []] : []));
      const proxy = await startProxy({ ...own, services, log });
      void proxy.synced.then(synced);
      return [name, proxy] as const;
    }),
  );
  return new Map(proxies);
}

function isShared(networks: ReadonlyMap<string, NodeNetwork>): boolean {
  return [...networks.values()].some(({ netns }) => netns.place !== undefined);
}

// What is wrong with an object is wrong on all nodes: it is told once.
function createRecorder({ client, health }: ProxiesOptions): EventRecorder {
  const onError = (error: unknown): void => health.failed('kube-proxy', error, true);
  return new EventRecorder({ client, clock: systemClock, component: 'kube-proxy', onError });
}

type NodeProxyOptions = Omit<ProxyOptions, 'services'>;

function nodeOptions(
  { client, informers, config, plan, health, transport, thread }: ProxiesOptions,
  network: NodeNetwork,
  mode: ProxyMode,
): NodeProxyOptions {
  const { netns, name } = network;
  const shared = netns.place !== undefined;
  const rules = shared ? NetworkNamespace.current() : netns;
  const iptables = createIptablesRunner(rules, { backend: config.proxy.iptablesBackend, thread });
  const component = `kube-proxy/${name}`;
  health.add(component);
  return {
    client,
    clock: systemClock,
    informers,
    nodeName: name,
    config: {
      mode,
      balancing: config.proxy.balancing,
      portalRules: config.proxy.userspace?.portalRules ?? 'nftables',
      clusterCIDRs: plan.podCIDRs,
      ...sharedSettings(network, plan),
    },
    // They share this machine's processors: what follows a change is gathered, so that a thousand pods that become ready one by
    // one do not cost twenty thousand syncs.
    restFactor: plan.nodes.length <= FEW_NODES ? 1 : plan.nodes.length / 2,
    families: plan.families.map((family) => (family === 'IPv4' ? 'ipv4' : 'ipv6')),
    runners: {
      iptables: shared ? iptables : emptyAtFirst(iptables),
      nft: createNftRunner(rules),
      conntrack: createConntrackRunner(rules),
    },
    addresses: () =>
      netns.place?.loopback ? plan.nodes.flatMap(({ addresses }) => addresses) : localAddresses(network),
    ...(shared ? {} : { sysctl: nodeSysctl(netns) }),
    listen: (address) => listenTcp(netns, address),
    ...(transport === undefined ? {} : { userspace: { transport, sockets: nodeSockets(netns) } }),
    log: ({ level, message, error }) => {
      if (level === 'error') health.failed(component, error ?? message);
      else health.failed(component, error ?? message, true);
    },
  };
}

function sharedSettings({ netns }: NodeNetwork, { nodes }: AddressPlan): NodeProxyOptions['config'] {
  if (netns.place === undefined) return {};
  // Every address of a shared namespace is a node's, as far as it is not a pod's.
  if (netns.place.loopback === undefined) return { nodePortAddresses: ['0.0.0.0/0', '::/0'] };
  const own = nodes.flatMap(({ addresses }) => addresses);
  return { portalRules: 'none', nodePortAddresses: own.map((address) => `${address}/32`) };
}

function localAddresses({ plan, announced }: NodeNetwork): readonly string[] {
  const own = plan.addresses.map((address) => address.slice(0, address.indexOf('/')));
  return ['127.0.0.1', '::1', ...own, ...announced];
}
