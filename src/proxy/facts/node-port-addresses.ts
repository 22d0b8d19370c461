import { canonicalAddress, familyOf, parsePrefix, prefixContains } from '../../netfilter/address.ts';
import type { Family } from '../../netfilter/runner.ts';
import type { NodePortAddresses } from './node-network.ts';

export interface NodePortAddressInput {
  readonly family: Family;
  /** --nodeport-addresses: prefixes of both families, or the one word `primary`. */
  readonly cidrs: readonly string[];
  readonly mode: 'iptables' | 'nftables';
  /** Addresses of all interfaces, loopback included. */
  readonly localAddresses: readonly string[];
  /** Primary address of the node in this family. */
  readonly nodeIP: string;
}

/**
 * The local addresses on which node ports answer. A family without a prefix of its own has its default: every address in
 * iptables mode, the primary one in nftables mode.
 */
export function resolveNodePortAddresses(input: NodePortAddressInput): NodePortAddresses {
  const { family, cidrs, nodeIP } = input;
  if (cidrs.includes('primary')) return { kind: 'list', addresses: [nodeIP] };
  const own = cidrs.flatMap((cidr) => {
    const prefix = parsePrefix(cidr);
    return prefix?.family === family ? [prefix] : [];
  });
  if (own.length === 0) return input.mode === 'iptables' ? { kind: 'all' } : { kind: 'list', addresses: [nodeIP] };
  if (own.some(({ length }) => length === 0)) return { kind: 'all' };
  const addresses = input.localAddresses.flatMap((text) => {
    const address = canonicalAddress(text);
    if (address === undefined || familyOf(address) !== family) return [];
    return own.some((prefix) => prefixContains(prefix, address)) ? [address] : [];
  });
  return { kind: 'list', addresses: [...new Set(addresses)] };
}
