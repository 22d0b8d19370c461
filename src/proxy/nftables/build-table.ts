import type { Element } from '../../netfilter/nftables/rule.ts';
import type { NamedSet, SetDeclaration, Table } from '../../netfilter/nftables/table.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import type { ProxyState } from '../proxy-backend.ts';
import { buildFixedChains } from './build-fixed-chains.ts';
import { buildPortRules } from './build-port-rules.ts';
import type { Dispatch } from './build-service-chain.ts';
import { ElementClaims } from './element-claims.ts';
import { EndpointRanges } from './endpoint-ranges.ts';
import { wordsOf } from './family-words.ts';
import { TABLE } from './object-names.ts';
import { endpointMap, isEndpointMap, sharedSets } from './shared-sets.ts';

/**
 * Up to this many ServicePorts a service chain lists its endpoints itself, as kube-proxy does. Beyond, the kernel's checks
 * of verdict maps and its search for a name of every map inside a rule make each changed rule expensive (about 15 ms at
 * 10,000 ServicePorts, 0.1 ms more for each further one at 1,000), and endpoints move to shared maps.
 */
export const INLINE_LIMIT = 500;

/** A table, and what is needed to change it ServicePort by ServicePort. */
export interface BuiltTable {
  readonly table: Table;
  readonly ports: ReadonlyMap<string, SelectedPort>;
  readonly claims: ElementClaims;
}

/** How service chains list their endpoints. */
export interface DispatchOptions {
  /** Places endpoints in shared maps. */
  readonly ranges: EndpointRanges;
  readonly inlineLimit: number;
}

/** Builds the whole table of a node and family. */
export function buildTable(state: ProxyState, options = defaultDispatch()): Table {
  return buildClaimedTable(state, options).table;
}

/** No range given out yet, and the usual limit. */
export function defaultDispatch(inlineLimit = INLINE_LIMIT): DispatchOptions {
  return { ranges: new EndpointRanges(), inlineLimit };
}

/** The same, with what is needed to change it later. */
export function buildClaimedTable({ family, node, ports }: ProxyState, options: DispatchOptions): BuiltTable {
  const dispatch = dispatchOf(ports.size, options);
  const chains = new Map(buildFixedChains(node).map((chain) => [chain.name, chain]));
  const affinitySets: SetDeclaration[] = [];
  const claims = new ElementClaims();
  const endpoints = new Map<string, Map<string, Element>>();
  for (const key of [...ports.keys()].sort()) {
    const rules = buildPortRules(ports.get(key)!, { node, dispatch });
    for (const chain of rules.chains) chains.set(chain.name, chain);
    affinitySets.push(...rules.affinitySets);
    for (const { set, element } of rules.elements) {
      if (isEndpointMap(set)) addElement(endpoints, set, element);
      else claims.add(set, element, key);
    }
  }
  const sets = [...fixedSets(node, dispatch.kind === 'shared' ? options.ranges.maps : 0), ...affinitySets];
  const fill = (set: SetDeclaration): NamedSet => ({
    ...set,
    elements:
      endpoints.get(set.name) ?? (set.name === 'nodeport-ips' ? nodePortElements(node) : claims.elementsOf(set.name)),
  });
  const table: Table = {
    family: wordsOf(family).table,
    name: TABLE,
    comment: 'rules for kube-proxy',
    chains,
    sets: new Map(sets.map((set) => [set.name, fill(set)])),
  };
  return { table, ports, claims };
}

/** How service chains of a table with this many ServicePorts list their endpoints. */
export function dispatchOf(ports: number, { ranges, inlineLimit }: DispatchOptions): Dispatch {
  return ports <= inlineLimit ? { kind: 'inline' } : { kind: 'shared', rangeOf: (chain) => ranges.rangeOf(chain) };
}

// The sets and maps that do not belong to one ServicePort.
function fixedSets(node: NodeNetwork, endpointMaps: number): SetDeclaration[] {
  const sets = Object.values(sharedSets(node.family)).filter(
    ({ name }) => name !== 'nodeport-ips' || node.nodePortAddresses.kind === 'list',
  );
  return [...sets, ...Array.from({ length: endpointMaps }, (_, index) => endpointMap(node.family, index))];
}

function addElement(elements: Map<string, Map<string, Element>>, set: string, element: Element): void {
  const ofSet = elements.get(set) ?? new Map<string, Element>();
  elements.set(set, ofSet);
  ofSet.set(element.key, element);
}

// Node ports on loopback addresses do not work in nftables mode, as in kube-proxy.
function nodePortElements({ nodePortAddresses }: NodeNetwork): ReadonlyMap<string, Element> {
  const addresses = nodePortAddresses.kind === 'list' ? nodePortAddresses.addresses : [];
  const usable = addresses.filter((ip) => !ip.startsWith('127.') && ip !== '::1');
  return new Map(usable.map((key) => [key, { key }]));
}
