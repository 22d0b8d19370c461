import { TowtankError } from '../../errors/towtank-error.ts';
import { joinHostPort } from '../../netfilter/address.ts';
import type { Verdict } from '../../netfilter/nftables/rule.ts';
import type { Chain, SetDeclaration } from '../../netfilter/nftables/table.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import { isPort } from '../facts/protocol.ts';
import { externalEndpoints, internalEndpoints, type SelectedPort } from '../facts/select-endpoints.ts';
import type { ServicePort } from '../facts/service-port.ts';
import { buildExternalChain } from './build-external-chain.ts';
import { buildFirewallChain } from './build-firewall-chain.ts';
import { buildServiceChain, type RuleContext, type SharedElement } from './build-service-chain.ts';
import { wordsOf } from './family-words.ts';
import { endpointObjects, REJECT_CHAIN, type ServiceObjects, serviceObjects } from './object-names.ts';
import { gotoVerdict, matches, rule } from './phrases.ts';
import { affinitySet, type SharedSetName } from './shared-sets.ts';

/** Everything that one ServicePort puts into the table. */
export interface PortRules {
  readonly chains: readonly Chain[];
  readonly affinitySets: readonly SetDeclaration[];
  /** Two ServicePorts may claim one key: see element-claims.ts. */
  readonly elements: readonly SharedElement[];
}

/** Builds the rules of one ServicePort. Throws ERR_INVALID_MANIFEST for names and numbers that nft cannot hold. */
export function buildPortRules(selected: SelectedPort, context: RuleContext): PortRules {
  const { port, endpoints } = selected;
  checkPort(port);
  const objects = serviceObjects(port);
  const choices = [
    ...(endpoints.cluster.length > 0 ? [{ chain: objects.cluster, port, endpoints: endpoints.cluster }] : []),
    ...(endpoints.local.length > 0 ? [{ chain: objects.local, port, endpoints: endpoints.local }] : []),
  ].map((choice) => buildServiceChain(choice, context));
  const firewall = buildFirewallChain(port, objects, context.node);
  const isExternal = endpoints.hasAny && port.externallyAccessible;
  return {
    chains: [
      ...buildEndpointChains(selected),
      ...choices.map(({ chain }) => chain),
      ...(isExternal ? [buildExternalChain(selected, objects, context.node)] : []),
      ...(firewall === undefined ? [] : [firewall]),
    ],
    affinitySets: affinityOf(selected, ({ affinitySet: name }) => affinitySet(port.family, name, port.affinitySeconds)),
    elements: [
      ...buildFrontends(selected, objects),
      ...(firewall === undefined ? [] : buildFirewallElements(port, objects)),
      ...endpoints.reachable.map((endpoint) => hairpin(port, endpoint)),
      ...choices.flatMap(({ elements }) => elements),
    ],
  };
}

function checkPort(port: ServicePort): void {
  const names = `${port.namespace}/${port.name}/${port.portName}`;
  const isValid = /^[A-Za-z0-9._/-]+$/.test(names) && (port.nodePort === 0 || isPort(port.nodePort));
  if (isValid) return;
  throw new TowtankError({
    code: 'ERR_INVALID_MANIFEST',
    message: `Service port ${port.text}: name or node port ${port.nodePort} is not valid`,
    hint: 'names are DNS labels, node ports lie in 1 to 65535',
  });
}

function affinityOf<T>(
  { port, endpoints }: SelectedPort,
  build: (objects: ReturnType<typeof endpointObjects>, endpoint: Endpoint) => T,
): T[] {
  if (port.affinitySeconds <= 0) return [];
  return endpoints.reachable.map((endpoint) => build(endpointObjects(port, endpoint), endpoint));
}

function buildEndpointChains(selected: SelectedPort): Chain[] {
  const { port } = selected;
  return affinityOf(selected, ({ chain, affinitySet: set }, endpoint) => ({
    name: chain,
    rules: [
      rule([{ kind: 'update', set, field: wordsOf(port.family).source }]),
      rule([matches('meta l4proto', [port.protocol]), { kind: 'dnat', to: joinHostPort(endpoint.ip, endpoint.port) }]),
    ],
  }));
}

function buildFrontends(selected: SelectedPort, objects: ServiceObjects): SharedElement[] {
  const { port, endpoints } = selected;
  const verdict: Verdict = endpoints.hasAny ? { kind: 'drop' } : gotoVerdict(REJECT_CHAIN);
  const internal = port.internalPolicyLocal ? objects.local : objects.cluster;
  const inside = internalEndpoints(selected).length > 0 ? { chain: internal } : { verdict };
  const outside = {
    ...(endpoints.hasAny ? { chain: objects.external } : {}),
    ...(externalEndpoints(selected).length > 0 ? {} : { verdict }),
  };
  return [
    { set: 'cluster-ips' satisfies SharedSetName, element: { key: port.clusterIP } },
    ...buildAddress(port, port.clusterIP, inside),
    ...externalAddresses(port).flatMap((ip) => buildAddress(port, ip, outside)),
    ...(port.nodePort === 0 ? [] : buildNodePort(port, outside)),
  ];
}

// An address may stand in two fields, and a map takes one element for it.
function externalAddresses(port: ServicePort): readonly string[] {
  return [...new Set([...port.externalIPs, ...port.loadBalancerVIPs])].filter((ip) => ip !== port.clusterIP);
}

/** Where packets to an address go, and what becomes of those that no rule sent anywhere. */
interface Outcome {
  readonly chain?: string;
  readonly verdict?: Verdict;
}

function buildAddress(port: ServicePort, ip: string, outcome: Outcome): SharedElement[] {
  return buildOutcome(outcome, `${ip} . ${port.protocol} . ${port.port}`, {
    chain: 'service-ips',
    verdict: 'no-endpoint-services',
    comment: port.text,
  });
}

function buildNodePort(port: ServicePort, outcome: Outcome): SharedElement[] {
  return buildOutcome(outcome, `${port.protocol} . ${port.nodePort}`, {
    chain: 'service-nodeports',
    verdict: 'no-endpoint-nodeports',
    comment: port.text,
  });
}

interface OutcomeSets {
  readonly chain: SharedSetName;
  readonly verdict: SharedSetName;
  readonly comment: string;
}

function buildOutcome({ chain, verdict }: Outcome, key: string, sets: OutcomeSets): SharedElement[] {
  return [
    ...(chain === undefined ? [] : [{ set: sets.chain, element: { key, value: gotoVerdict(chain) } }]),
    ...(verdict === undefined
      ? []
      : [{ set: sets.verdict, element: { key, value: verdict, comment: clip(sets.comment) } }]),
  ];
}

function buildFirewallElements(port: ServicePort, objects: ServiceObjects): SharedElement[] {
  return [...new Set(port.loadBalancerVIPs)].map((ip) => ({
    set: 'firewall-ips' satisfies SharedSetName,
    element: {
      key: `${ip} . ${port.protocol} . ${port.port}`,
      value: gotoVerdict(objects.firewall),
      comment: clip(port.text),
    },
  }));
}

/** Who reaches himself through the Service is masqueraded. */
export function hairpin(port: ServicePort, { ip, port: number }: Endpoint): SharedElement {
  return {
    set: 'hairpin-connections' satisfies SharedSetName,
    element: { key: `${ip} . ${ip} . ${port.protocol} . ${number}` },
  };
}

// nft takes comments of up to 128 characters.
function clip(comment: string): string {
  return comment.length <= 128 ? comment : `${comment.slice(0, 125)}...`;
}
