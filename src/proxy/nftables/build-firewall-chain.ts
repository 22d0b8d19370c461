import { type Prefix, parsePrefix, prefixContains, printAddress, printPrefix } from '../../netfilter/address.ts';
import type { Chain } from '../../netfilter/nftables/table.ts';
import { allowedSources } from '../facts/allowed-sources.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { ServicePort } from '../facts/service-port.ts';
import { wordsOf } from './family-words.ts';
import type { ServiceObjects } from './object-names.ts';
import { DROP, matches, rule } from './phrases.ts';

/**
 * `firewall-...`: drops what comes from outside the source ranges of a load balancer. Undefined when everybody may come.
 */
export function buildFirewallChain(port: ServicePort, objects: ServiceObjects, node: NodeNetwork): Chain | undefined {
  if (port.loadBalancerVIPs.length === 0 || port.loadBalancerSourceRanges.length === 0) return undefined;
  const sources = disjoint(allowedSources(port, node.nodeIP));
  if (sources.some(({ length }) => length === 0)) return undefined;
  const rules = [rule([matches(wordsOf(port.family).source, sources.map(print), true), DROP])];
  return { name: objects.firewall, rules };
}

// The kernel refuses overlapping intervals (nft merges them itself): prefixes that lie in another one are left out.
function disjoint(texts: readonly string[]): Prefix[] {
  const prefixes = [...new Set(texts)].map(parsePrefix).filter((prefix) => prefix !== undefined);
  const lies = (inner: Prefix, outer: Prefix): boolean =>
    outer.length < inner.length && prefixContains(outer, printAddress(inner.family, inner.bits));
  return prefixes.filter((prefix) => !prefixes.some((other) => lies(prefix, other)));
}

function print(prefix: Prefix): string {
  const isHost = prefix.length === (prefix.family === 'ipv4' ? 32 : 128);
  return isHost ? printAddress(prefix.family, prefix.bits) : printPrefix(prefix);
}
