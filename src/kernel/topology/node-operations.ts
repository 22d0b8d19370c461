import { withoutPrefixLength } from '../ffi/ip-bytes.ts';
import type { LinkOperation, RouteOperation } from '../netlink/operations.ts';
import type { NetworkNamespace } from '../network-namespace.ts';
import { everywhere, firstAddress, isV6, sameFamily } from './addresses.ts';
import { linkLocalAddress, nodeMac } from './mac-address.ts';
import type { FabricPlan, NodePlan } from './plan.ts';
import { receiveAtOnce } from './receive-at-once.ts';

// "Network unreachable" must find its way back to the pod that it is for.
const ownPackets = { priority: 1000, table: 1000, inputLink: 'lo' } as const;
const families = ['ipv4', 'ipv6'] as const;

/** Name of the bridge that holds a node's pods with the `bridge` attachment, as the CNI plugin calls it. */
export const podBridge = 'cni0';

/** MAC of the fabric's bridge. */
function fabricMac(fabric: FabricPlan): string {
  return nodeMac(fabric.addresses[0] ?? '0.0.0.0');
}

/** MAC of a node's eth0. */
export function macOfNode(plan: Pick<NodePlan, 'addresses' | 'mac'>): string {
  return plan.mac ?? nodeMac(plan.addresses[0] ?? '0.0.0.0');
}

/** What the root namespace needs for the fabric. */
export function buildFabric(fabric: FabricPlan): LinkOperation[] {
  return [
    { kind: 'addBridge', name: fabric.name, mac: fabricMac(fabric), up: true },
    ...linkAddresses(fabric.name, fabric.addresses, fabricMac(fabric)),
    ...families.map((family) => ({ kind: 'addRule', family, ...ownPackets }) as const),
  ];
}

/** The opposite of `buildFabric`. */
export function buildFabricRemoval(fabric: FabricPlan): LinkOperation[] {
  return [
    ...families.map((family) => ({ kind: 'deleteRule', family, ...ownPackets }) as const),
    { kind: 'deleteLink', link: fabric.name },
  ];
}

/** Routes of the root namespace to a node's pods: for what it sends itself, not for what outside clients send through it. */
export function buildRootRoutes(node: NodePlan, kind: 'addRoute' | 'deleteRoute'): LinkOperation[] {
  return podRoutes(node, kind).map((route) => ({ ...route, table: ownPackets.table }));
}

/** What the root namespace needs for one machine on the fabric: its cable, and a neighbour entry that never ages. */
export function buildPort(
  fabric: FabricPlan,
  port: { readonly name: string; readonly netns: NetworkNamespace; readonly plan: Pick<NodePlan, 'addresses' | 'mac'> },
): LinkOperation[] {
  const mac = macOfNode(port.plan);
  const peer = { name: 'eth0', netns: port.netns, mac };
  return [
    { kind: 'addVeth', name: port.name, master: fabric.name, up: true, peer },
    ...neighbours(fabric.name, port.plan.addresses, mac),
  ];
}

/** The opposite of `buildPort`: shuts the port at once and leaves its link to the kernel, to which deleting it costs milliseconds. */
export function buildPortRemoval(
  fabric: FabricPlan,
  port: { readonly name: string; readonly plan: Pick<NodePlan, 'addresses' | 'mac'> },
): LinkOperation[] {
  return [
    { kind: 'setBridgePort', link: port.name, state: 0 },
    ...forgottenNeighbours(fabric.name, port.plan.addresses, macOfNode(port.plan)),
  ];
}

/** What a machine on the fabric needs itself: addresses, and the fabric as gateway for whatever it has no route to. */
export function buildMachine(fabric: FabricPlan, plan: Pick<NodePlan, 'addresses' | 'mac'>): LinkOperation[] {
  const { addresses } = plan;
  const mac = macOfNode(plan);
  const gateways = fabric.addresses.map(withoutPrefixLength).filter((gateway) => sameFamily(addresses, gateway));
  return [
    { kind: 'setLink', link: 'eth0', up: true },
    ...linkAddresses('eth0', addresses, mac),
    ...neighbours('eth0', gateways, fabricMac(fabric)),
    ...gateways.map((gateway): LinkOperation => ({ kind: 'addRoute', destination: everywhere(gateway), gateway })),
  ];
}

/** The bridge of a node's pods, with the first address of each range as the pods' gateway. */
export function buildPodBridge(plan: NodePlan): LinkOperation[] {
  const mac = podBridgeMac(plan);
  return [
    { kind: 'addBridge', name: podBridge, mac, up: true },
    ...linkAddresses(podBridge, plan.podCIDRs.map(firstAddress), mac),
  ];
}

/** MAC of a node's pod bridge. */
export function podBridgeMac(plan: NodePlan): string {
  return nodeMac(firstAddress(plan.podCIDRs[0] ?? '10.0.0.0/8'));
}

/** What a node needs to reach another one and its pods. */
export function buildRoutesTo(other: NodePlan): LinkOperation[] {
  return [...neighbours('eth0', other.addresses, macOfNode(other)), ...podRoutes(other, 'addRoute')];
}

/** The opposite of `buildRoutesTo`. */
export function buildRemovalOf(other: NodePlan): LinkOperation[] {
  return [...podRoutes(other, 'deleteRoute'), ...forgottenNeighbours('eth0', other.addresses, macOfNode(other))];
}

function linkAddresses(link: string, addresses: readonly string[], mac: string): LinkOperation[] {
  return [
    ...addresses.map((address): LinkOperation => ({ kind: 'addAddress', link, address })),
    ...ownLinkLocal(link, addresses, mac),
    ...addresses.flatMap((address) => receiveAtOnce(link, address)),
  ];
}

// A machine that forwards IPv6 asks for neighbours with its link-local address, and without one does not ask at all.
function ownLinkLocal(link: string, addresses: readonly string[], mac: string): LinkOperation[] {
  if (!addresses.some(isV6)) return [];
  const address = linkLocalAddress(mac);
  return [{ kind: 'addAddress', link, address, scope: 'link' }, ...receiveAtOnce(link, address)];
}

function podRoutes(other: NodePlan, kind: 'addRoute' | 'deleteRoute'): RouteOperation[] {
  return other.podCIDRs.flatMap((destination): RouteOperation[] => {
    const gateway = sameFamily(other.addresses, destination);
    return gateway === undefined ? [] : [{ kind, destination, gateway }];
  });
}

// Entries that the kernel learns count towards a limit of 1,024 that all network namespaces of the machine share; these do not.
function neighbours(link: string, addresses: readonly string[], mac: string): LinkOperation[] {
  return addresses.map((address) => ({ kind: 'setNeighbour', link, address: withoutPrefixLength(address), mac }));
}

function forgottenNeighbours(link: string, addresses: readonly string[], mac: string): LinkOperation[] {
  return addresses.map((address) => ({ kind: 'deleteNeighbour', link, address: withoutPrefixLength(address), mac }));
}
