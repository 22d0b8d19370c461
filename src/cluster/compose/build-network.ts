import type { NetworkNamespace } from '../../kernel/network-namespace.ts';
import { Fabric } from '../../kernel/topology/fabric.ts';
import type { NodeNetwork } from '../../kernel/topology/node-network.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ClusterConfig } from '../config/cluster-config.ts';

export const CLIENT_NAME = 'client';

/** The network of a cluster in the kernel. */
export interface ClusterNetwork {
  readonly fabric: Fabric;
  readonly nodes: ReadonlyMap<string, NodeNetwork>;
  readonly client: NetworkNamespace;
}

/** Makes fabric, nodes and the outside client. */
export function buildNetwork(plan: AddressPlan, config: ClusterConfig): ClusterNetwork {
  const fabric = Fabric.create({ name: 'fabric', addresses: plan.fabric, cni: config.network.cni });
  fabric.addNodes(
    plan.nodes.map(({ name, interfaceAddresses, podCIDRs }) => ({ name, addresses: interfaceAddresses, podCIDRs })),
  );
  const client = fabric.addOutsideClient({ name: CLIENT_NAME, addresses: plan.client });
  return { fabric, nodes: fabric.nodes, client };
}
