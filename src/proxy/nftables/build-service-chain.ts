import type { Element, Rule, Statement } from '../../netfilter/nftables/rule.ts';
import type { Chain } from '../../netfilter/nftables/table.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { ServicePort } from '../facts/service-port.ts';
import { DRAWN_NUMBERS, type EndpointRange, shareOf } from './endpoint-ranges.ts';
import { wordsOf } from './family-words.ts';
import { endpointObjects } from './object-names.ts';
import { goto, gotoVerdict, isIn, matches, rule } from './phrases.ts';
import { endpointMap } from './shared-sets.ts';

/** Where the endpoints of service chains are listed: in the rule itself as kube-proxy does, or in maps that many share. */
export type Dispatch =
  | { readonly kind: 'inline' }
  | { readonly kind: 'shared'; readonly rangeOf: (chain: string) => EndpointRange };

/** What rules are built from besides the ServicePort. */
export interface RuleContext {
  readonly node: NodeNetwork;
  readonly dispatch: Dispatch;
}

/** An element of one of the sets or maps that ServicePorts share. */
export interface SharedElement {
  readonly set: string;
  readonly element: Element;
}

/** Elements that come and go. One that changes does both. */
export interface ElementChanges {
  readonly added: SharedElement[];
  readonly removed: SharedElement[];
}

/** A chain that picks one of some endpoints. */
export interface EndpointChoice {
  /** `service-...` or `local-...`. */
  readonly chain: string;
  readonly port: ServicePort;
  /** At least one, sorted by address. */
  readonly endpoints: readonly Endpoint[];
}

/** The chain and the elements of shared endpoint maps that it draws from. */
export function buildServiceChain(
  choice: EndpointChoice,
  { node, dispatch }: RuleContext,
): { readonly chain: Chain; readonly elements: readonly SharedElement[] } {
  const mode = modeOf(choice, node);
  if (choice.port.affinitySeconds > 0) return withoutElements(choice, affinityRules(choice, mode));
  if (dispatch.kind === 'inline') return withoutElements(choice, [inlineRule(choice, mode)]);
  const range = dispatch.rangeOf(choice.chain);
  const map = endpointMap(choice.port.family, range.map).name;
  return {
    chain: { name: choice.chain, rules: [sharedRule(choice, range, mode)] },
    elements: choice.endpoints.map((_, index) => ({
      set: map,
      element: sharedElement(choice, index, { range, mode }),
    })),
  };
}

/**
 * What becomes of a chain without session affinity when other endpoints are chosen from: its rules, where they change, and
 * the elements of shared endpoint maps that come and go.
 */
export function changeServiceChain(
  before: EndpointChoice,
  after: EndpointChoice,
  context: RuleContext,
): { readonly chain: Chain | undefined; readonly elements: ElementChanges } {
  const { dispatch, node } = context;
  if (dispatch.kind === 'inline') return { chain: buildServiceChain(after, context).chain, elements: noElements };
  const mode = modeOf(after, node);
  const range = dispatch.rangeOf(after.chain);
  const set = endpointMap(after.port.family, range.map).name;
  const elements: ElementChanges = { added: [], removed: [] };
  const isSameCount = before.endpoints.length === after.endpoints.length;
  const place = { range, mode } as const;
  const stays = (index: number): boolean =>
    (isSameCount || mode === 'inc') && before.endpoints[index]?.address === after.endpoints[index]?.address;
  for (let index = 0; index < before.endpoints.length; index++) {
    if (!stays(index)) elements.removed.push({ set, element: sharedElement(before, index, place) });
  }
  for (let index = 0; index < after.endpoints.length; index++) {
    if (!stays(index)) elements.added.push({ set, element: sharedElement(after, index, place) });
  }
  const hasSameRule = isSameCount || mode === 'random';
  return { chain: hasSameRule ? undefined : { name: after.chain, rules: [sharedRule(after, range, mode)] }, elements };
}

const noElements: ElementChanges = { added: [], removed: [] };

type Mode = 'random' | 'inc';

const modeOf = ({ port }: EndpointChoice, node: NodeNetwork): Mode =>
  (port.balancing ?? node.balancing) === 'round-robin' ? 'inc' : 'random';

function sharedElement(
  { endpoints }: EndpointChoice,
  index: number,
  { range, mode }: { readonly range: EndpointRange; readonly mode: Mode },
): Element {
  const key = mode === 'inc' ? String(range.offset + index) : shareOf(range, index, endpoints.length);
  return { key, value: backendOf(endpoints[index]!) };
}

function withoutElements(choice: EndpointChoice, rules: readonly Rule[]): { chain: Chain; elements: readonly [] } {
  return { chain: { name: choice.chain, rules }, elements: [] };
}

const backendOf = ({ ip, port }: Endpoint): string => `${ip} . ${port}`;

function inlineRule({ port, endpoints }: EndpointChoice, mode: Mode): Rule {
  const elements = endpoints.map((endpoint, index) => ({ key: String(index), value: backendOf(endpoint) }));
  const key = { mode, modulus: endpoints.length, offset: 0 } as const;
  return rule([
    matches('meta l4proto', [port.protocol]),
    { kind: 'dnat-map', family: wordsOf(port.family).table, key, map: { elements } },
  ]);
}

// For `random` the rule never changes: endpoints come and go as elements of the map, which costs the kernel far less.
function sharedRule({ port, endpoints }: EndpointChoice, range: EndpointRange, mode: Mode): Rule {
  const modulus = mode === 'inc' ? endpoints.length : DRAWN_NUMBERS;
  return rule([
    matches('meta l4proto', [port.protocol]),
    {
      kind: 'dnat-map',
      family: wordsOf(port.family).table,
      key: { mode, modulus, offset: range.offset },
      map: { name: endpointMap(port.family, range.map).name },
    },
  ]);
}

// A client that is known goes where it went before; others are spread, and remembered in the endpoint's chain.
function affinityRules({ port, endpoints }: EndpointChoice, mode: Mode): Rule[] {
  const objects = endpoints.map((endpoint) => endpointObjects(port, endpoint));
  const elements = objects.map(({ chain }, index) => ({ key: String(index), value: gotoVerdict(chain) }));
  const spread: Statement = {
    kind: 'vmap',
    key: { mode, modulus: endpoints.length, offset: 0 },
    map: { elements },
  };
  const known = objects.map(({ chain, affinitySet }) =>
    rule([isIn([wordsOf(port.family).source], affinitySet), goto(chain)]),
  );
  return [...known, rule([spread])];
}
