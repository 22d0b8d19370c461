import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndpointSlice, Service } from '../../src/kube/generated/types.ts';
import { keyOf } from '../../src/kube/resources.ts';
import type { Packet } from '../../src/netfilter/evaluate/packet.ts';
import type { Family } from '../../src/netfilter/runner.ts';
import type { NodeNetwork } from '../../src/proxy/facts/node-network.ts';
import { resolveNodePortAddresses } from '../../src/proxy/facts/node-port-addresses.ts';
import { ServiceFacts } from '../../src/proxy/facts/service-facts.ts';
import { StateTracker } from '../../src/proxy/facts/state-tracker.ts';
import type { ProxyState } from '../../src/proxy/proxy-backend.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const SHARED = join(ROOT, '..', 'shared', 'vectors', 'proxy');
const COPIES = join(ROOT, 'test', 'conformance', 'proxy', 'vectors');

/** The node of a vector. */
export interface VectorNode {
  readonly nodeName: string;
  readonly primaryNodeIP: string;
  readonly localIPs: readonly string[];
  readonly ipFamily: 'IPv4' | 'IPv6';
  readonly clusterCIDR: string | null;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly flags: {
    readonly detectLocalMode: string;
    readonly masqueradeAll: boolean;
    readonly masqueradeBit: number;
    readonly localhostNodePorts: boolean;
    readonly nodePortAddresses: readonly string[];
    readonly serviceCIDRs: readonly string[];
    readonly featureGates: Readonly<Record<string, boolean>>;
  };
}

export interface VectorVerdict {
  readonly verdict: 'deliver' | 'reject' | 'drop' | 'passthrough';
  readonly endpoints: readonly string[];
  readonly masquerade: boolean;
  readonly masqueradeByEndpoint?: Readonly<Record<string, boolean>>;
  readonly filterAccept?: boolean;
}

export interface VectorPacket {
  readonly title: string;
  readonly sourceType: 'pod' | 'node' | 'localhost' | 'external';
  readonly sourceIP: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly destIP: string;
  readonly destPort: number;
  readonly expect: VectorVerdict;
  readonly expectByMode?: { readonly nftables?: VectorVerdict; readonly iptables?: VectorVerdict };
  readonly knownDeviations?: unknown;
}

/** The same as rules see it. */
export function packetOf({ sourceType, sourceIP, protocol, destIP, destPort }: VectorPacket): Packet {
  return {
    source: sourceIP,
    destination: destIP,
    protocol: protocol.toLowerCase(),
    sourcePort: 40_000,
    destinationPort: destPort,
    from: sourceType === 'node' || sourceType === 'localhost' ? 'host' : 'network',
  };
}

/** One vector; the fields beyond these depend on its kind. */
export interface Vector {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly modes: readonly string[];
  readonly nodeState: VectorNode;
  readonly services?: readonly Service[];
  readonly endpointSlices?: readonly EndpointSlice[];
  readonly packets?: readonly VectorPacket[];
}

/** Where the vectors are: beside the repository, else the copies in it. */
export function vectorDirectory(): string {
  return existsSync(SHARED) ? SHARED : COPIES;
}

/** All vectors of one kind. */
export function loadVectors<T extends Vector = Vector>(kind: string): T[] {
  const directory = vectorDirectory();
  return readdirSync(directory)
    .filter((name) => /\.(nd)?json$/.test(name))
    .sort()
    .flatMap((name) => readVectors<T>(join(directory, name)))
    .filter((vector) => vector.kind === kind);
}

function readVectors<T>(file: string): T[] {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) return (JSON.parse(text) as { vectors: T[] }).vectors;
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** What kube-proxy 1.30 wrote for a vector's state, or undefined when it was not recorded. */
export function recordedOutput(id: string, mode: 'iptables' | 'nftables'): string | undefined {
  const file = join(vectorDirectory(), 'kube-proxy-1.30-output', `${id}.${mode}.txt`);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

export const familyOfVector = (node: VectorNode): Family => (node.ipFamily === 'IPv4' ? 'ipv4' : 'ipv6');

/** The node facts of a vector. nftables mode differs in the default of node port addresses only. */
export function nodeOfVector(node: VectorNode, mode: 'iptables' | 'nftables' = 'iptables'): NodeNetwork {
  const family = familyOfVector(node);
  const { flags } = node;
  return {
    nodeName: node.nodeName,
    family,
    nodeIP: node.primaryNodeIP,
    zone: node.nodeLabels['topology.kubernetes.io/zone'] ?? '',
    nodePortAddresses: resolveNodePortAddresses({
      family,
      cidrs: flags.nodePortAddresses,
      mode,
      localAddresses: [...node.localIPs, '127.0.0.1', '::1'],
      nodeIP: node.primaryNodeIP,
    }),
    localDetector:
      flags.detectLocalMode === 'ClusterCIDR' && node.clusterCIDR
        ? { kind: 'cidr', cidr: node.clusterCIDR }
        : { kind: 'none' },
    masqueradeAll: flags.masqueradeAll,
    masqueradeMark: 1 << flags.masqueradeBit,
    localhostNodePorts: flags.localhostNodePorts,
    balancing: 'random',
    serviceCIDRs: flags.serviceCIDRs,
    serviceTrafficDistribution: flags.featureGates['ServiceTrafficDistribution'] ?? true,
    preferSameTrafficDistribution: flags.featureGates['PreferSameTrafficDistribution'] ?? true,
  };
}

/** Facts that hold a vector's objects. */
export function factsOfVector(vector: Vector): ServiceFacts {
  const facts = new ServiceFacts({
    loadBalancerIPMode: vector.nodeState.flags.featureGates['LoadBalancerIPMode'] ?? true,
  });
  for (const service of vector.services ?? []) facts.setService(keyOf(service), service);
  for (const slice of vector.endpointSlices ?? []) facts.setSlice(keyOf(slice), slice);
  return facts;
}

/** The state that a node's rules are built from. */
export function stateOfVector(vector: Vector, mode: 'iptables' | 'nftables' = 'iptables'): ProxyState {
  using tracker = new StateTracker(factsOfVector(vector), nodeOfVector(vector.nodeState, mode), () => {});
  return tracker.take().state;
}
