import type { Field } from '../../netfilter/nftables/rule.ts';
import type { DataType } from '../../netfilter/nftables/table.ts';
import type { Family } from '../../netfilter/runner.ts';

/** What is spelled differently in the two families. */
export interface FamilyWords {
  readonly table: 'ip' | 'ip6';
  readonly source: Field;
  readonly destination: Field;
  readonly address: DataType;
  /** Where node ports never answer. */
  readonly loopback: string;
}

const words: Readonly<Record<Family, FamilyWords>> = {
  ipv4: {
    table: 'ip',
    source: 'ip saddr',
    destination: 'ip daddr',
    address: 'ipv4_addr',
    loopback: '127.0.0.0/8',
  },
  ipv6: {
    table: 'ip6',
    source: 'ip6 saddr',
    destination: 'ip6 daddr',
    address: 'ipv6_addr',
    loopback: '::1',
  },
};

/** The words of nft for a family. */
export function wordsOf(family: Family): FamilyWords {
  return words[family];
}
