/** Rules of nftables as data: the subset that kube-proxy's layout needs. Addresses and numbers are canonical text. */
export interface Rule {
  /** Evaluated from left to right; the first match that fails ends the rule. */
  readonly statements: readonly Statement[];
  readonly comment?: string | undefined;
}

/** What a rule can read of a packet, spelled as nft prints it. */
export type Field =
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | 'meta l4proto'
  | 'th sport'
  | 'th dport'
  | 'tcp dport'
  | 'udp dport'
  | 'sctp dport'
  | 'iifname'
  | 'oifname'
  | 'fib saddr type'
  | 'fib daddr type'
  | 'ct state'
  | 'ct status';

/** A fresh number for each packet in [offset, offset + modulus): at random, or counted up by one and wrapped (`inc`). */
export interface NumberGenerator {
  readonly mode: 'random' | 'inc';
  readonly modulus: number;
  readonly offset: number;
}

/** Where a packet goes next. `goto` does not come back to the chain that it left; `jump` does. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** A member of a set, or a pair of a map. */
export interface Element {
  /** Fields joined by ` . `; an interval as `first-last` or as prefix. It identifies the element within its set. */
  readonly key: string;
  /** Of a map: fields joined by ` . `. Of a verdict map: a verdict. */
  readonly value?: string | Verdict | undefined;
  readonly comment?: string | undefined;
  /** Of a set with timeout: it leaves after so many seconds, instead of after the set's whole timeout. */
  readonly expiresSeconds?: number | undefined;
}

/** A named set or map of the table, or the elements themselves. */
export type Lookup = { readonly name: string } | { readonly elements: readonly Element[] };

/** What a map is asked with. */
export type LookupKey = readonly Field[] | NumberGenerator;

export type Statement =
  /** The fields, joined, are in the set; `not` negates. One field and one element is a plain comparison. */
  | { readonly kind: 'match'; readonly fields: readonly Field[]; readonly in: Lookup; readonly not?: boolean }
  /** meta mark & mask == value. */
  | { readonly kind: 'mark'; readonly mask: number; readonly value: number; readonly not?: boolean }
  /** meta mark = (meta mark & ~clear) ^ flip, one of nft's two forms: `|` sets bits, `^` flips them. */
  | { readonly kind: 'set-mark'; readonly operator: '|' | '^'; readonly bits: number }
  | { readonly kind: 'vmap'; readonly key: LookupKey; readonly map: Lookup }
  /** `ip:port` with brackets around IPv6. */
  | { readonly kind: 'dnat'; readonly to: string }
  /** Address and port come from a map whose values are `address . port`. A miss ends the rule. */
  | { readonly kind: 'dnat-map'; readonly family: 'ip' | 'ip6'; readonly key: LookupKey; readonly map: Lookup }
  | { readonly kind: 'masquerade'; readonly fullyRandom: boolean }
  /** Puts the field into a dynamic set, or renews its timeout. */
  | { readonly kind: 'update'; readonly set: string; readonly field: Field }
  | { readonly kind: 'reject'; readonly with?: string | undefined }
  | { readonly kind: 'counter' }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Anything else of a foreign rule, word for word; it cannot be evaluated. */
  | { readonly kind: 'other'; readonly text: string };

/** True for a number generator, false for fields. */
export function isGenerator(key: LookupKey): key is NumberGenerator {
  return 'modulus' in key;
}
