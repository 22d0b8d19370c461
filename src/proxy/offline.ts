import type { Node } from '../kube/generated/types.ts';
import { keyOf } from '../kube/resources.ts';
import { familyOf, parsePrefix } from '../netfilter/address.ts';
import { evaluatePacket, type HostRules } from '../netfilter/evaluate/evaluate-packet.ts';
import type { Family } from '../netfilter/runner.ts';
import { DEFAULT_PROXY_CONFIG, type ProxyConfig, type RulesMode } from './config/proxy-config.ts';
import { buildNodeNetwork, nodeAddress } from './facts/build-node-network.ts';
import { ServiceFacts } from './facts/service-facts.ts';
import { StateTracker } from './facts/state-tracker.ts';
import { buildRuleset } from './iptables/build-ruleset.ts';
import { buildTable } from './nftables/build-table.ts';
import type { OfflineResult, OfflineRules } from './offline/offline-result.ts';
import { type PacketQuestion, toPacket } from './offline/packet-question.ts';
import { type ReadObjects, readObjects } from './offline/read-objects.ts';
import type { ProxyState } from './proxy-backend.ts';

export { type PacketQuestion, parsePacketQuestion } from './offline/packet-question.ts';
export { offlineJson, printOffline } from './offline/print-offline.ts';

export interface OfflineOptions {
  readonly nodeName: string;
  readonly mode: RulesMode;
  /** Settings of the proxy, for example read from a KubeProxyConfiguration. */
  readonly config?: Partial<ProxyConfig>;
  /** Addresses of the node besides those of its Node object; the first of a family is the primary one. */
  readonly nodeIPs?: readonly string[];
  /** Default: the families of which there is a cluster IP, at least IPv4. */
  readonly families?: readonly Family[];
  /** Packets whose way is to be told. */
  readonly packets?: readonly PacketQuestion[];
}

/**
 * Builds what the proxy of a node would write for these objects (Services, EndpointSlices, Nodes, ServiceCIDRs, lists of
 * them), without a cluster and without a kernel. Throws UserError ERR_INVALID_MANIFEST for an object that is none.
 */
export function buildOffline(objects: readonly unknown[], options: OfflineOptions): OfflineResult {
  const notes: string[] = [];
  const read = readObjects(objects);
  if (read.ignored.length > 0) notes.push(`not looked at: ${read.ignored.join(', ')}`);
  const facts = new ServiceFacts({
    loadBalancerIPMode: options.config?.featureGates?.['LoadBalancerIPMode'] ?? true,
    onProblem: ({ service, message }) => notes.push(message.includes(service) ? message : `${service}: ${message}`),
  });
  for (const service of read.services) facts.setService(keyOf(service), service);
  for (const slice of read.endpointSlices) facts.setSlice(keyOf(slice), slice);
  const node = findNode(read, options, notes);
  const families = options.families ?? familiesOf(facts);
  const build = (family: Family): OfflineRules =>
    rulesOf(stateOf({ facts, node, family, read, options }), options.mode);
  const rules = families.map(build);
  const host = { localAddresses: localAddresses(node) };
  const walks = (options.packets ?? []).map((question) => {
    const packet = toPacket(question, (family) => nodeAddress(node, family));
    // A packet may be of a family that is not printed.
    const family = familyOf(packet.destination)!;
    const met = rules.find((printed) => printed.family === family) ?? build(family);
    return { question, evaluation: evaluatePacket(hostRules(met), packet, host) };
  });
  return { nodeName: options.nodeName, mode: options.mode, rules, walks, notes };
}

interface StateInput {
  readonly facts: ServiceFacts;
  readonly node: Node;
  readonly family: Family;
  readonly read: ReadObjects;
  readonly options: OfflineOptions;
}

function stateOf({ facts, node, family, read, options }: StateInput): ProxyState {
  const network = buildNodeNetwork({
    config: { ...DEFAULT_PROXY_CONFIG, ...options.config, mode: options.mode },
    nodeName: options.nodeName,
    family,
    // Mode NodeCIDR would wait for pod CIDRs that nobody will assign here.
    node: { ...node, spec: { podCIDRs: [], ...node.spec } },
    localAddresses: [...localAddresses(node), '127.0.0.1', '::1'],
    serviceCIDRs: read.serviceCIDRs,
  })!;
  using tracker = new StateTracker(facts, network, () => {});
  return tracker.take().state;
}

function rulesOf(state: ProxyState, mode: RulesMode): OfflineRules {
  const { family } = state;
  return mode === 'iptables'
    ? { family, mode, ruleset: buildRuleset(state, { conntrackTcpBeLiberal: false }) }
    : { family, mode, table: buildTable(state) };
}

function hostRules(rules: OfflineRules): HostRules {
  return rules.mode === 'iptables' ? { iptables: [rules.ruleset] } : { nftables: [rules.table] };
}

function findNode(read: ReadObjects, { nodeName, nodeIPs = [] }: OfflineOptions, notes: string[]): Node {
  const found = read.nodes.find(({ metadata }) => metadata?.name === nodeName);
  if (found === undefined) {
    const addresses = nodeIPs.length === 0 ? ', and no address of it was given' : '';
    notes.push(`Node ${nodeName} is not among the objects${addresses}: its zone and pod CIDRs are unknown`);
  }
  const given = nodeIPs.map((address) => ({ type: 'InternalIP', address }));
  const status = { ...found?.status, addresses: [...given, ...(found?.status?.addresses ?? [])] };
  return { ...found, metadata: { ...found?.metadata, name: nodeName }, status };
}

function localAddresses(node: Node): string[] {
  return (node.status?.addresses ?? []).map(({ address }) => address).filter((text) => parsePrefix(text) !== undefined);
}

function familiesOf(facts: ServiceFacts): readonly Family[] {
  const hasPorts = (family: Family): boolean =>
    [...facts.services(family)].some((service) => facts.portsOf(family, service).length > 0);
  if (!hasPorts('ipv6')) return ['ipv4'];
  return hasPorts('ipv4') ? ['ipv4', 'ipv6'] : ['ipv6'];
}
