import type { Field } from '../../netfilter/nftables/rule.ts';
import type { DataType } from '../../netfilter/nftables/table.ts';
import { formatOf, padded } from './encode-value.ts';
import type { ExpressionWriter } from './expression-writer.ts';

/** How a field gets into a register, and the type of its values there. */
export interface FieldLoad {
  readonly type: DataType | 'bits' | 'address-type';
  load(e: ExpressionWriter, register: number): void;
}

const network = (offset: number, length: number) => ({ base: 1, offset, length }) as const;
const transport = (offset: number) => ({ base: 2, offset, length: 2 }) as const;

function header(type: DataType, place: { base: 1 | 2; offset: number; length: number }): FieldLoad {
  return { type, load: (e, register) => e.payload(place, register) };
}

function meta(type: DataType, key: number): FieldLoad {
  return { type, load: (e, register) => e.meta(key, register) };
}

const loads: Readonly<Record<Field, FieldLoad>> = {
  'ip saddr': header('ipv4_addr', network(12, 4)),
  'ip daddr': header('ipv4_addr', network(16, 4)),
  'ip6 saddr': header('ipv6_addr', network(8, 16)),
  'ip6 daddr': header('ipv6_addr', network(24, 16)),
  'meta l4proto': meta('inet_proto', 16),
  'th sport': header('inet_service', transport(0)),
  'th dport': header('inet_service', transport(2)),
  'tcp dport': header('inet_service', transport(2)),
  'udp dport': header('inet_service', transport(2)),
  'sctp dport': header('inet_service', transport(2)),
  iifname: meta('ifname', 6),
  oifname: meta('ifname', 7),
  'fib saddr type': { type: 'address-type', load: (e, register) => e.addressType(1, register) },
  'fib daddr type': { type: 'address-type', load: (e, register) => e.addressType(2, register) },
  'ct state': { type: 'bits', load: (e, register) => e.conntrack(0, register) },
  'ct status': { type: 'bits', load: (e, register) => e.conntrack(2, register) },
};

export function loadOf(field: Field): FieldLoad {
  return loads[field];
}

/** Loads fields into consecutive registers from `register` on; returns the first register behind them. */
export function loadFields(e: ExpressionWriter, fields: readonly Field[], register: number): number {
  let next = register;
  for (const field of fields) {
    const { type, load } = loads[field];
    load(e, next);
    next += type === 'bits' || type === 'address-type' ? 1 : padded(formatOf(type).bytes) / 4;
  }
  return next;
}

/** Conntrack states and status bits, and address types, by nft's word. */
export const conntrackBits: Readonly<Record<string, number>> = {
  invalid: 1,
  established: 2,
  related: 4,
  new: 8,
  untracked: 64,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
};
export const addressTypes: Readonly<Record<string, number>> = { unicast: 1, local: 2, broadcast: 3, multicast: 5 };
