import { allowedSources } from '../facts/allowed-sources.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import { externalEndpoints, internalEndpoints, type SelectedPort } from '../facts/select-endpoints.ts';
import type { ListenAddress, Listener } from './listener.ts';

/** A listener on an address of a Service. */
export interface DirectListener {
  readonly listener: Listener;
  readonly address: ListenAddress;
  /** The address is the Service's, and not one of the node. */
  readonly isClaimed: boolean;
}

const ANY = { ipv4: '0.0.0.0', ipv6: '::' } as const;

/**
 * The listeners of a ServicePort where no rules lead to the proxy: one on each of its addresses, and on the node's for its node
 * port. What has no endpoints has no listener, and the kernel refuses. Policy Local holds for everybody, pods and the node too.
 */
export function buildDirectListeners(selected: SelectedPort, node: NodeNetwork): DirectListener[] {
  const { port } = selected;
  const { protocol } = port;
  if (protocol === 'sctp') return [];
  const build = (address: ListenAddress, endpoints: readonly Endpoint[], isLoadBalancer = false): DirectListener => ({
    address,
    isClaimed: address.port === port.port && address.host !== node.nodeIP,
    listener: {
      id: `${node.nodeName} ${node.family} ${port.key} ${address.host} ${address.port}`,
      node: node.nodeName,
      family: node.family,
      protocol,
      key: port.key,
      service: port.text,
      destination: address,
      policy: {
        targets: endpoints.map(({ ip, port: number, address: text }) => ({ ip, port: number, address: text })),
        balancing: port.balancing ?? node.balancing,
        affinitySeconds: port.affinitySeconds,
        proxyProtocol: protocol === 'tcp' && port.proxyProtocol === true,
        sources:
          isLoadBalancer && port.loadBalancerSourceRanges.length > 0 ? allowedSources(port, node.nodeIP) : undefined,
      },
    },
  });
  const outside = externalEndpoints(selected);
  const all = [
    build({ host: port.clusterIP, port: port.port }, internalEndpoints(selected)),
    ...port.externalIPs.map((host) => build({ host, port: port.port }, outside)),
    ...port.loadBalancerVIPs.map((host) => build({ host, port: port.port }, outside, true)),
    ...nodePortHosts(node).flatMap((host) =>
      port.nodePort === 0 ? [] : [{ ...build({ host, port: port.nodePort }, outside), isClaimed: false }],
    ),
  ];
  return all.filter(({ listener }) => listener.policy.targets.length > 0);
}

function nodePortHosts({ nodePortAddresses, family }: NodeNetwork): readonly string[] {
  return nodePortAddresses.kind === 'all' ? [ANY[family]] : nodePortAddresses.addresses;
}
