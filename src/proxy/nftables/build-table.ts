import type { Element } from '../../netfilter/nftables/rule.ts';
import type { Chain, NamedSet, SetDeclaration, Table } from '../../netfilter/nftables/table.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { ProxyState } from '../proxy-backend.ts';
import { buildFixedChains } from './build-fixed-chains.ts';
import { buildPortRules } from './build-port-rules.ts';
import type { Dispatch } from './build-service-chain.ts';
import { EndpointRanges } from './endpoint-ranges.ts';
import { wordsOf } from './family-words.ts';
import { TABLE } from './object-names.ts';
import { endpointMap, sharedSets } from './shared-sets.ts';

/**
 * Up to this many ServicePorts a service chain lists its endpoints itself, as kube-proxy does. Beyond, the kernel's checks
 * of verdict maps make each changed rule expensive (about 15 ms at 10,000 ServicePorts), and endpoints move to shared maps.
 */
export const INLINE_LIMIT = 1000;

/** Builds the whole table of a node and family. `ranges` places endpoints in shared maps; only needed beyond INLINE_LIMIT. */
export function buildTable(state: ProxyState, ranges = new EndpointRanges()): Table {
  const dispatch = dispatchOf(state.ports.size, ranges);
  const chains = new Map(buildFixedChains(state.node).map((chain) => [chain.name, chain]));
  const affinitySets: SetDeclaration[] = [];
  const elements = new Map<string, Map<string, Element>>();
  // The first ServicePort by key owns an element that two of them claim.
  for (const key of [...state.ports.keys()].sort()) {
    const selected = state.ports.get(key);
    if (selected === undefined) continue;
    const rules = buildPortRules(selected, { node: state.node, dispatch });
    for (const chain of rules.chains) chains.set(chain.name, chain);
    affinitySets.push(...rules.affinitySets);
    for (const { set, element } of rules.elements) addClaim(elements, set, element);
  }
  const declared = [...fixedSets(state.node, dispatch.kind === 'shared' ? ranges.maps : 0), ...affinitySets];
  return {
    family: wordsOf(state.family).table,
    name: TABLE,
    comment: 'rules for kube-proxy',
    chains: chains as ReadonlyMap<string, Chain>,
    sets: new Map(declared.map((set) => [set.name, fill(set, elements.get(set.name), state.node)])),
  };
}

/** How service chains of a table with this many ServicePorts list their endpoints. */
export function dispatchOf(ports: number, ranges: EndpointRanges): Dispatch {
  return ports <= INLINE_LIMIT ? { kind: 'inline' } : { kind: 'shared', rangeOf: (chain) => ranges.rangeOf(chain) };
}

/** The sets and maps that do not belong to one ServicePort. */
export function fixedSets(node: NodeNetwork, endpointMaps: number): SetDeclaration[] {
  const sets = Object.values(sharedSets(node.family)).filter(
    ({ name }) => name !== 'nodeport-ips' || node.nodePortAddresses.kind === 'list',
  );
  return [...sets, ...Array.from({ length: endpointMaps }, (_, index) => endpointMap(node.family, index))];
}

function addClaim(elements: Map<string, Map<string, Element>>, set: string, element: Element): void {
  const ofSet = elements.get(set) ?? new Map<string, Element>();
  elements.set(set, ofSet);
  if (!ofSet.has(element.key)) ofSet.set(element.key, element);
}

const none: ReadonlyMap<string, Element> = new Map();

function fill(set: SetDeclaration, elements: ReadonlyMap<string, Element> = none, node: NodeNetwork): NamedSet {
  if (set.name === 'nodeport-ips') return { ...set, elements: nodePortElements(node) };
  return { ...set, elements };
}

// Node ports on loopback addresses do not work in nftables mode, as in kube-proxy.
function nodePortElements({ nodePortAddresses }: NodeNetwork): ReadonlyMap<string, Element> {
  const addresses = nodePortAddresses.kind === 'list' ? nodePortAddresses.addresses : [];
  const usable = addresses.filter((ip) => !ip.startsWith('127.') && ip !== '::1');
  return new Map(usable.map((key) => [key, { key }]));
}
