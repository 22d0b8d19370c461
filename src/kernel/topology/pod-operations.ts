import { prefixBytes, withoutPrefixLength } from '../ffi/ip-bytes.ts';
import type { LinkOperation } from '../netlink/operations.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { everywhere, firstAddress, hostPrefix, isV6, sameFamily } from './addresses.ts';
import { podMac, ptpGatewayMac } from './mac-address.ts';
import { podBridge, podBridgeMac } from './node-operations.ts';
import type { NodePlan } from './plan.ts';
import { receiveAtOnce } from './receive-at-once.ts';

/** One pod's link: `hostLink` is its name on the node, `eth0` in the pod. */
export interface PodLink {
  readonly node: NodePlan;
  readonly netns: NetworkNamespace;
  readonly hostLink: string;
  readonly addresses: readonly string[];
}

export interface PodOperations {
  readonly node: readonly LinkOperation[];
  readonly pod: readonly LinkOperation[];
  /** What makes the pod unreachable at once; its link goes when the kernel gets to it. */
  readonly detach: readonly LinkOperation[];
}

// Gateways that exist nowhere but in a permanent neighbour entry of every pod: no address of the node is spent on them.
const ptpGateways = { v4: '169.254.1.1', v6: 'fe80::1' } as const;

/** A pod with a route of its own on the node, and the node as the pod's only neighbour. */
export function buildPtpPod({ node, netns, hostLink, addresses }: PodLink): PodOperations {
  const mac = podMac(addresses[0] ?? '0.0.0.0');
  return {
    node: [
      { kind: 'addVeth', name: hostLink, mac: ptpGatewayMac, up: true, peer: { name: 'eth0', netns, mac } },
      ...addresses.flatMap((address): LinkOperation[] => [
        { kind: 'setNeighbour', link: hostLink, address, mac },
        { kind: 'replaceRoute', destination: hostPrefix(address), link: hostLink, ...sourceOf(node, address) },
      ]),
    ],
    pod: [{ kind: 'setLink', link: 'eth0', up: true }, ...addresses.flatMap(ptpAddress)],
    detach: addresses.map((address) => ({ kind: 'deleteRoute', destination: hostPrefix(address), link: hostLink })),
  };
}

/** A pod on the node's bridge, in one network with the node's other pods. */
export function buildBridgePod({ node, netns, hostLink, addresses }: PodLink): PodOperations {
  const mac = podMac(addresses[0] ?? '0.0.0.0');
  return {
    node: [
      { kind: 'addVeth', name: hostLink, master: podBridge, up: true, peer: { name: 'eth0', netns, mac } },
      // A pod that calls its own Service gets its packet back through the port that it came from.
      { kind: 'setBridgePort', link: hostLink, hairpin: true },
      ...addresses.map((address): LinkOperation => ({ kind: 'setNeighbour', link: podBridge, address, mac })),
    ],
    pod: [{ kind: 'setLink', link: 'eth0', up: true }, ...addresses.flatMap((address) => bridgeAddress(node, address))],
    detach: [
      { kind: 'setLink', link: hostLink, master: null },
      ...addresses.map((address): LinkOperation => ({ kind: 'deleteNeighbour', link: podBridge, address, mac })),
    ],
  };
}

function ptpAddress(address: string): LinkOperation[] {
  const v6 = isV6(address);
  const gateway = v6 ? ptpGateways.v6 : ptpGateways.v4;
  const link = 'eth0';
  return [
    { kind: 'addAddress', link, address: hostPrefix(address) },
    ...receiveAtOnce(link, address),
    { kind: 'setNeighbour', link, address: gateway, mac: ptpGatewayMac },
    { kind: 'addRoute', destination: everywhere(address), gateway, link, onLink: true },
  ];
}

function bridgeAddress(node: NodePlan, address: string): LinkOperation[] {
  const cidr = node.podCIDRs.find((range) => isV6(range) === isV6(address));
  if (cidr === undefined) return [];
  const gateway = withoutPrefixLength(firstAddress(cidr));
  const link = 'eth0';
  return [
    { kind: 'addAddress', link, address: `${address}/${prefixBytes(cidr).length}` },
    ...receiveAtOnce(link, address),
    { kind: 'setNeighbour', link, address: gateway, mac: podBridgeMac(node) },
    { kind: 'addRoute', destination: everywhere(address), gateway, link },
  ];
}

// Without it, what the node itself sends to a pod would carry whatever address the kernel finds first.
function sourceOf(node: NodePlan, like: string): { readonly source?: string } {
  const source = sameFamily(node.addresses, like);
  return source === undefined ? {} : { source };
}
