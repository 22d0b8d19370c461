import type { Match, Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { Balancing, ServicePort } from '../facts/service-port.ts';
import { endpointChain } from './chain-names.ts';
import { comment, host, MASQUERADE } from './phrases.ts';
import type { RuleContext } from './rule-context.ts';

/** Jumps to the chains of these endpoints: sticky clients first, then an even share for each. */
export function buildEndpointRules({
  port,
  endpoints,
  context,
}: {
  readonly port: ServicePort;
  readonly endpoints: readonly Endpoint[];
  readonly context: RuleContext;
}): Rule[] {
  const balancing = port.balancing ?? context.node.balancing;
  const entries = endpoints.map(({ address }) => ({
    chain: endpointChain(port, address),
    notes: context.largeCluster ? [] : [comment(`${port.text} -> ${address}`)],
  }));
  const sticky = port.affinitySeconds === 0 ? [] : entries;
  return [
    ...sticky.map(({ chain, notes }): Rule => {
      const { affinitySeconds: seconds, family } = port;
      const recent: Match = {
        kind: 'recent',
        action: 'rcheck',
        list: chain,
        seconds,
        reap: true,
        mask: fullMask(family),
      };
      return { matches: [...notes, recent], target: { kind: 'jump', chain } };
    }),
    ...entries.map(({ chain, notes }, index): Rule => {
      const share = shareOf(entries.length - index, balancing);
      return { matches: [...notes, ...share], target: { kind: 'jump', chain } };
    }),
  ];
}

/** KUBE-SEP-: translates to one endpoint; traffic that would loop back to its sender is masqueraded. */
export function buildEndpointChain({
  port,
  endpoint,
  name,
  context,
}: {
  readonly port: ServicePort;
  readonly endpoint: Endpoint;
  readonly name: string;
  readonly context: RuleContext;
}): Chain {
  const { protocol, family } = port;
  const notes = context.largeCluster ? [] : [comment(port.text)];
  const remember: readonly Match[] =
    port.affinitySeconds === 0 ? [] : [{ kind: 'recent', action: 'set', list: name, mask: fullMask(family) }];
  const matches: readonly Match[] = [
    { kind: 'protocol', protocol },
    ...notes,
    ...remember,
    { kind: 'ports', protocol },
  ];
  return {
    name,
    rules: [
      { matches: [{ kind: 'source', prefix: host(endpoint.ip) }, ...notes], target: MASQUERADE },
      { matches, target: { kind: 'dnat', to: endpoint.address } },
    ],
  };
}

// Rule i of n takes one in n-i of what reaches it, which makes every share equal; the last takes the rest.
function shareOf(remaining: number, balancing: Balancing): readonly Match[] {
  if (remaining === 1) return [];
  return balancing === 'round-robin'
    ? [{ kind: 'statistic-nth', every: remaining, packet: 0 }]
    : [{ kind: 'statistic-random', probability: probability(remaining) }];
}

/** One in n with ten decimals, as kube-proxy writes it. */
export function probability(n: number): string {
  return (1 / n).toFixed(10);
}

const fullMask = (family: Family): string =>
  family === 'ipv4' ? '255.255.255.255' : 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
