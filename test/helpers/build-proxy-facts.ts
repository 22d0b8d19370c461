import { joinHostPort } from '../../src/netfilter/address.ts';
import type { Endpoint } from '../../src/proxy/facts/endpoint.ts';
import type { NodeNetwork } from '../../src/proxy/facts/node-network.ts';
import { type SelectedPort, selectEndpoints } from '../../src/proxy/facts/select-endpoints.ts';
import type { ServicePort } from '../../src/proxy/facts/service-port.ts';
import { servicePortKey, servicePortText } from '../../src/proxy/facts/service-port-name.ts';
import type { ProxyState } from '../../src/proxy/proxy-backend.ts';

/** ServicePort ns1/svc1:p80 TCP 10.96.0.10:80, without anything external; derived fields follow from the others. */
export function buildServicePort(options: Partial<ServicePort> = {}): ServicePort {
  const { namespace = 'ns1', name = 'svc1', portName = 'p80', protocol = 'tcp' } = options;
  const port = {
    namespace,
    name,
    portName,
    protocol,
    family: 'ipv4' as const,
    clusterIP: '10.96.0.10',
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerVIPs: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: 0,
    externalPolicyLocal: false,
    internalPolicyLocal: false,
    healthCheckNodePort: 0,
    hintsAnnotation: '',
    balancing: undefined,
    ...options,
  };
  const externallyAccessible = port.nodePort !== 0 || port.externalIPs.length > 0 || port.loadBalancerVIPs.length > 0;
  return {
    key: servicePortKey({ namespace, name }, portName, protocol),
    text: servicePortText({ namespace, name }, portName),
    externallyAccessible,
    usesClusterEndpoints: !port.internalPolicyLocal || externallyAccessible,
    usesLocalEndpoints: port.internalPolicyLocal || (port.externalPolicyLocal && externallyAccessible),
    ...port,
  };
}

/** A ready endpoint 10.244.0.2:80 on node-1. */
export function buildProxyEndpoint(options: Partial<Endpoint> = {}): Endpoint {
  const { ip = '10.244.0.2', port = 80, ready = true, terminating = false } = options;
  return {
    nodeName: 'node-1',
    serving: ready || terminating,
    zoneHints: [],
    nodeHints: [],
    ...options,
    ip,
    port,
    ready,
    terminating,
    address: joinHostPort(ip, port),
  };
}

/** IPv4 facts of node-1, 172.18.0.2, with pods in 10.244.0.0/16. */
export function buildNodeFacts(options: Partial<NodeNetwork> = {}): NodeNetwork {
  return {
    nodeName: 'node-1',
    family: 'ipv4',
    nodeIP: '172.18.0.2',
    zone: '',
    nodePortAddresses: { kind: 'all' },
    localDetector: { kind: 'cidr', cidr: '10.244.0.0/16' },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    localhostNodePorts: true,
    balancing: 'random',
    serviceCIDRs: [],
    serviceTrafficDistribution: true,
    preferSameTrafficDistribution: true,
    ...options,
  };
}

/** A ServicePort with what `node` selects of these endpoints. */
export function buildSelectedPort(
  port: ServicePort,
  endpoints: readonly Endpoint[],
  node: NodeNetwork = buildNodeFacts(),
): SelectedPort {
  return { port, endpoints: selectEndpoints(port, endpoints, node) };
}

/** The state of a node with these ServicePorts. */
export function buildProxyState(ports: readonly SelectedPort[], node: NodeNetwork = buildNodeFacts()): ProxyState {
  return { family: node.family, node, ports: new Map(ports.map((selected) => [selected.port.key, selected])) };
}
