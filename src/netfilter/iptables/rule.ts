/** Rules of iptables as data: what a rule matches and what becomes of the packet. Addresses and texts are canonical. */
export interface Rule {
  readonly matches: readonly Match[];
  /** Undefined: the rule only counts (or only carries a comment) and the packet goes on. */
  readonly target?: Target | undefined;
}

/** A condition; all of a rule's must hold. `not` negates it. */
export type Match =
  | { readonly kind: 'comment'; readonly text: string }
  /** `-p`: tcp, udp, sctp, icmp, ipv6-icmp. */
  | { readonly kind: 'protocol'; readonly protocol: string; readonly not?: boolean }
  /** `-s` and `-d`: a prefix in canonical text. */
  | { readonly kind: 'source'; readonly prefix: string; readonly not?: boolean }
  | { readonly kind: 'destination'; readonly prefix: string; readonly not?: boolean }
  /** `-i` and `-o`: a name, or a beginning of names followed by `+`. */
  | { readonly kind: 'in-interface'; readonly name: string; readonly not?: boolean }
  | { readonly kind: 'out-interface'; readonly name: string; readonly not?: boolean }
  /** `-m tcp --dport 80`, also a range `80:90`; without a port it is the bare `-m tcp`. */
  | {
      readonly kind: 'ports';
      readonly protocol: 'tcp' | 'udp' | 'sctp';
      readonly source?: string | undefined;
      readonly destination?: string | undefined;
    }
  /** `-m conntrack --ctstate`. */
  | { readonly kind: 'conntrack-state'; readonly states: readonly ConntrackState[]; readonly not?: boolean }
  /** `-m mark --mark value/mask`. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number; readonly not?: boolean }
  /** `-m addrtype --src-type/--dst-type`. */
  | {
      readonly kind: 'address-type';
      readonly side: 'source' | 'destination';
      readonly type: 'LOCAL' | 'UNICAST' | 'BROADCAST' | 'MULTICAST';
      readonly not?: boolean;
    }
  /** `-m statistic --mode random`: probability in kube-proxy's text, ten decimals. */
  | { readonly kind: 'statistic-random'; readonly probability: string }
  /** `-m statistic --mode nth`: every n-th packet, starting with number `packet`. */
  | { readonly kind: 'statistic-nth'; readonly every: number; readonly packet: number }
  /** `-m recent`: remembers (`set`) or looks up (`rcheck`) the source address in a list. */
  | {
      readonly kind: 'recent';
      readonly action: 'set' | 'rcheck';
      readonly list: string;
      readonly seconds?: number | undefined;
      readonly reap?: boolean | undefined;
      /** iptables-save always prints it; all ones keeps every client apart. */
      readonly mask?: string | undefined;
      readonly not?: boolean;
    }
  /** `-m physdev --physdev-is-in`. */
  | { readonly kind: 'physdev-is-in'; readonly not?: boolean }
  /** `-m nfacct --nfacct-name`: counts only. */
  | { readonly kind: 'nfacct'; readonly name: string }
  /** Anything else of a foreign rule, kept word for word; it cannot be evaluated. */
  | { readonly kind: 'other'; readonly words: readonly string[] };

export type ConntrackState = 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED' | 'SNAT' | 'DNAT';

/** What becomes of a packet that matches. */
export type Target =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'reject'; readonly with?: string | undefined }
  /** mark = (mark & ~mask) ^ value: the form that all MARK options are printed as. */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'masquerade'; readonly randomFully: boolean }
  /** `ip:port` with brackets around IPv6. */
  | { readonly kind: 'dnat'; readonly to: string }
  | { readonly kind: 'snat'; readonly to: string }
  | { readonly kind: 'redirect'; readonly toPorts: string }
  /** A foreign target, kept word for word; it cannot be evaluated. */
  | { readonly kind: 'other'; readonly words: readonly string[] };
