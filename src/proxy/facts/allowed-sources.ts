import { parsePrefix, prefixContains } from '../../netfilter/address.ts';
import type { ServicePort } from './service-port.ts';

/**
 * Prefixes that may use the load balancer addresses of a ServicePort. When a range holds the node itself, the addresses
 * are added: packets of the node to an address that it has on an interface come with that address as their source.
 */
export function allowedSources(port: ServicePort, nodeIP: string): readonly string[] {
  const ranges = port.loadBalancerSourceRanges;
  const includesNode = ranges.some((text) => {
    const range = parsePrefix(text);
    return range !== undefined && prefixContains(range, nodeIP);
  });
  if (!includesNode) return ranges;
  return [...ranges, ...port.loadBalancerVIPs.map((ip) => `${ip}/${port.family === 'ipv4' ? 32 : 128}`)];
}
