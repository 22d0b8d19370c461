import { familyOf } from '../address.ts';
import type { Field } from '../nftables/rule.ts';
import { addressType } from './packet.ts';
import type { PathState } from './path-state.ts';

/** The values that a field has in a packet: several for sets of bits, none when the packet has no such field. */
export function readField(field: Field, state: PathState): readonly string[] {
  switch (field) {
    case 'ip saddr':
      return ofFamily('ipv4', state.source);
    case 'ip daddr':
      return ofFamily('ipv4', state.destination);
    case 'ip6 saddr':
      return ofFamily('ipv6', state.source);
    case 'ip6 daddr':
      return ofFamily('ipv6', state.destination);
    case 'meta l4proto':
      return [state.protocol];
    case 'th sport':
      return hasPorts(state) ? [String(state.sourcePort)] : [];
    case 'th dport':
      return hasPorts(state) ? [String(state.destinationPort)] : [];
    case 'tcp dport':
    case 'udp dport':
    case 'sctp dport':
      return field === `${state.protocol} dport` ? [String(state.destinationPort)] : [];
    case 'iifname':
      return [state.inInterface];
    case 'oifname':
      return [''];
    case 'fib saddr type':
      return [addressType(state.host, state.source)];
    case 'fib daddr type':
      return [addressType(state.host, state.destination)];
    case 'ct state':
      return [state.conntrackState];
    case 'ct status':
      return [...(state.isTranslated ? ['dnat'] : []), ...(state.isMasqueraded ? ['snat'] : [])];
  }
}

const ofFamily = (family: 'ipv4' | 'ipv6', address: string): readonly string[] =>
  familyOf(address) === family ? [address] : [];

const hasPorts = ({ protocol }: PathState): boolean => ['tcp', 'udp', 'sctp'].includes(protocol);
