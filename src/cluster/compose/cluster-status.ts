import { portOffset } from '../../kernel/loopback/ports.ts';
import { loopbackLimits } from '../../kernel/tier.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Node, Pod } from '../../kube/generated/types.ts';
import { resources } from '../../kube/resources.ts';
import type { Store } from '../../store/store.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ClusterStatus, LoopbackStatus, NodeStatus } from '../control/protocol.ts';
import type { StartSpec } from '../start-spec.ts';
import { towtankVersion } from '../version.ts';
import type { ClusterNetwork } from './build-network.ts';
import type { ComponentHealth } from './component-health.ts';

export interface StatusSources {
  readonly client: KubeClient;
  readonly plan: AddressPlan;
  readonly spec: StartSpec;
  readonly network: Pick<ClusterNetwork, 'client'>;
  readonly health: ComponentHealth;
  readonly store: Pick<Store, 'engine' | 'revision' | 'count'>;
}

/** What `towtank status` shows, read from the API and the process. */
export async function readStatus({
  client,
  plan,
  spec,
  network,
  health,
  store,
}: StatusSources): Promise<ClusterStatus> {
  const [nodes, pods, services] = await Promise.all([
    client.list(resources.nodes),
    client.list(resources.pods),
    client.list(resources.services),
  ]);
  return {
    name: spec.config.name,
    tier: spec.tier,
    loopback: loopbackStatus(network),
    version: towtankVersion(),
    apiServer: `https://127.0.0.1:${spec.apiPort}`,
    uptimeSeconds: (Date.now() - spec.startedAt) / 1000,
    memoryBytes: process.memoryUsage.rss(),
    nodes: plan.nodes.map((node) => nodeStatus(node, nodes.items, pods.items)),
    pods: { total: pods.items.length, ready: pods.items.filter(isReady).length },
    services: services.items.length,
    clusterDNS: spec.config.dns.replicas > 0 ? plan.clusterDNS : [],
    outsideClient: plan.client.map((address) => address.slice(0, address.indexOf('/'))),
    store: { engine: store.engine, objects: store.count('/registry/'), revision: store.revision },
    components: health.list(),
  };
}

function loopbackStatus({ client }: Pick<ClusterNetwork, 'client'>): LoopbackStatus | undefined {
  const loopback = client.place?.loopback;
  if (loopback === undefined) return undefined;
  const { firstPort, namesObstacle } = loopback;
  const limits = loopbackLimits(firstPort, namesObstacle ?? null);
  return { firstPort, portOffset, findsNames: namesObstacle === undefined, limits };
}

function nodeStatus(plan: AddressPlan['nodes'][number], nodes: readonly Node[], pods: readonly Pod[]): NodeStatus {
  const { name, addresses, podCIDRs, proxyMode } = plan;
  const node = nodes.find(({ metadata }) => metadata?.name === name);
  return {
    name,
    addresses,
    podCIDRs,
    proxyMode,
    ready: isReady(node),
    pods: pods.filter(({ spec }) => spec?.nodeName === name).length,
  };
}

function isReady(object: Node | Pod | undefined): boolean {
  return object?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
