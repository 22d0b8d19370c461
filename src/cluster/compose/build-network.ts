import { join } from 'node:path';
import { UserError } from '../../errors/towtank-error.ts';
import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import type { KernelThread } from '../../kernel/thread/kernel-thread-handle.ts';
import { Fabric } from '../../kernel/topology/fabric.ts';
import type { FlatFabric } from '../../kernel/topology/flat-fabric.ts';
import type { LoopbackFabric } from '../../kernel/topology/loopback-fabric.ts';
import type { NodeNetwork } from '../../kernel/topology/node-network.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ClusterConfig } from '../config/cluster-config.ts';
import { markOfCluster, type StartSpec } from '../start-spec.ts';

export const CLIENT_NAME = 'client';

/** The network of a cluster in the kernel. */
export interface ClusterNetwork {
  /** What nodes and client are plugged into; disposing it removes all of them. */
  readonly fabric: AsyncDisposable & { readonly root: NetworkNamespace };
  readonly nodes: ReadonlyMap<string, NodeNetwork>;
  readonly client: NetworkNamespace;
  /** Does what waits in the kernel; undefined where all share one network namespace. */
  readonly thread: KernelThread | undefined;
  /** Plugs a further link of the root namespace into the fabric. Throws ERR_TIER where there is no fabric. */
  plugIn(link: string): void;
}

/** Makes fabric, nodes and the outside client, each in a namespace of its own or, in the lower tiers, all in this one. */
export async function buildNetwork(plan: AddressPlan, spec: NetworkSpec): Promise<ClusterNetwork> {
  const { tier, thread } = spec;
  const fabric = await createFabric(plan, spec);
  const plugIn = (link: string): void => {
    if (!('plugIn' in fabric))
      throw new UserError({ code: 'ERR_TIER', message: `the ${tier} tier has no fabric to plug ${link} into` });
    fabric.plugIn(link);
  };
  fabric.addNodes(
    plan.nodes.map(({ name, interfaceAddresses, podCIDRs }) => ({ name, addresses: interfaceAddresses, podCIDRs })),
  );
  const client = fabric.addOutsideClient({ name: CLIENT_NAME, addresses: plan.client });
  return { fabric, nodes: fabric.nodes, client, thread, plugIn };
}

type NetworkSpec = Pick<StartSpec, 'config' | 'tier' | 'paths' | 'startedAt'> & {
  /** Why the programs of this machine do not ask cluster DNS, in the loopback tier. */
  readonly namesObstacle: string | undefined;
  readonly thread: KernelThread | undefined;
};

async function createFabric(plan: AddressPlan, spec: NetworkSpec): Promise<Fabric | FlatFabric | LoopbackFabric> {
  const { config, tier, thread } = spec;
  const { cni } = config.network;
  if (tier === 'full') return Fabric.create({ name: 'fabric', addresses: plan.fabric, cni }, thread);
  if (tier === 'flat') return createFlatFabric(plan, config);
  const { LoopbackFabric } = await import('../../kernel/topology/loopback-fabric.ts');
  const folder = join(spec.paths.folder, 'places');
  return new LoopbackFabric({
    addresses: plan.apiServer,
    mark: markOfCluster(spec),
    folder,
    namesObstacle: spec.namesObstacle,
  });
}

async function createFlatFabric(plan: AddressPlan, { network }: ClusterConfig): Promise<FlatFabric> {
  const { FlatFabric } = await import('../../kernel/topology/flat-fabric.ts');
  const nodes = plan.families.map((family) => network.nodeCIDRs[family]);
  return FlatFabric.create({
    addresses: plan.apiServer,
    ranges: { nodes, pods: plan.podCIDRs, services: plan.serviceCIDRs },
  });
}
