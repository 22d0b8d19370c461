import type { SetDeclaration } from '../../netfilter/nftables/table.ts';
import type { Family } from '../../netfilter/runner.ts';
import { wordsOf } from './family-words.ts';

export type SharedSetName =
  | 'cluster-ips'
  | 'nodeport-ips'
  | 'hairpin-connections'
  | 'no-endpoint-services'
  | 'no-endpoint-nodeports'
  | 'firewall-ips'
  | 'service-ips'
  | 'service-nodeports';

const comments: Readonly<Record<SharedSetName, string>> = {
  'cluster-ips': 'Active ClusterIPs',
  'nodeport-ips': 'IPs that accept NodePort traffic',
  'hairpin-connections': 'service hairpin connections',
  'no-endpoint-services': 'vmap to drop or reject packets to services with no endpoints',
  'no-endpoint-nodeports': 'vmap to drop or reject packets to service nodeports with no endpoints',
  'firewall-ips': 'destinations that are subject to LoadBalancerSourceRanges',
  'service-ips': 'ClusterIP, ExternalIP and LoadBalancer IP traffic',
  'service-nodeports': 'NodePort traffic',
};

/** The sets and maps that all Services of a family share, in the order of kube-proxy's table. */
export function sharedSets(family: Family): Readonly<Record<SharedSetName, SetDeclaration>> {
  return family === 'ipv4' ? ipv4Sets : ipv6Sets;
}

const ipv4Sets = buildSets('ipv4');
const ipv6Sets = buildSets('ipv6');

function buildSets(family: Family): Readonly<Record<SharedSetName, SetDeclaration>> {
  const { address } = wordsOf(family);
  const set = (name: SharedSetName, key: SetDeclaration['key'], data?: 'verdict'): SetDeclaration => ({
    name,
    key,
    ...(data === undefined ? {} : { data }),
    flags: [],
    comment: comments[name],
  });
  const destination = [address, 'inet_proto', 'inet_service'] as const;
  const nodePort = ['inet_proto', 'inet_service'] as const;
  return {
    'cluster-ips': set('cluster-ips', [address]),
    'nodeport-ips': set('nodeport-ips', [address]),
    'hairpin-connections': set('hairpin-connections', [address, ...destination]),
    'no-endpoint-services': set('no-endpoint-services', destination, 'verdict'),
    'no-endpoint-nodeports': set('no-endpoint-nodeports', nodePort, 'verdict'),
    'firewall-ips': set('firewall-ips', destination, 'verdict'),
    'service-ips': set('service-ips', destination, 'verdict'),
    'service-nodeports': set('service-nodeports', nodePort, 'verdict'),
  };
}

const endpointMapPrefix = 'service-endpoints-';

/** The declaration of a shared set or endpoint map by its name. */
export function setOf(family: Family, name: string): SetDeclaration {
  const shared = sharedSets(family)[name as SharedSetName] as SetDeclaration | undefined;
  return shared ?? endpointMap(family, Number(name.slice(endpointMapPrefix.length)));
}

/** True for the maps of endpoints, where every key has one ServicePort that may want it. */
export function isEndpointMap(name: string): boolean {
  return name.startsWith(endpointMapPrefix);
}

/** A map of many endpoints: number > address . port. ServicePorts own ranges of the numbers; see endpoint-ranges.ts. */
export function endpointMap(family: Family, index: number): SetDeclaration {
  return {
    name: `${endpointMapPrefix}${index}`,
    key: ['number'],
    data: [wordsOf(family).address, 'inet_service'],
    flags: ['interval'],
    comment: 'endpoints by number; every service chain draws from its own range',
  };
}

/** The set of clients that stay with one endpoint. */
export function affinitySet(family: Family, name: string, timeoutSeconds: number): SetDeclaration {
  return { name, key: [wordsOf(family).address], flags: ['dynamic', 'timeout'], timeoutSeconds };
}
