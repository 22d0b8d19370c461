import type { Match, Target } from '../../netfilter/iptables/rule.ts';
import type { LocalDetector } from '../facts/node-network.ts';
import type { Protocol } from '../facts/protocol.ts';
import type { ServicePort } from '../facts/service-port.ts';
import { MARK_MASQ } from './chain-names.ts';

/** Jump that marks the packet to be masqueraded on its way out. */
export const MASQUERADE: Target = { kind: 'jump', chain: MARK_MASQ };

/** A comment of kube-proxy's. */
export const comment = (text: string): Match => ({ kind: 'comment', text });

/** `address` as a host prefix. */
export const host = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

/** Matches one address and the Service's port: `-d IP -p tcp <middle> -m tcp --dport port`. */
export function toAddress(port: ServicePort, address: string, middle: Match): readonly Match[] {
  return [
    { kind: 'destination', prefix: host(address) },
    { kind: 'protocol', protocol: port.protocol },
    middle,
    { kind: 'ports', protocol: port.protocol, destination: String(port.port) },
  ];
}

/** Matches a port whatever the address: `-p tcp <middle> -m tcp --dport port`. */
export function toPort(protocol: Protocol, port: number, ...middle: readonly Match[]): readonly Match[] {
  return [{ kind: 'protocol', protocol }, ...middle, { kind: 'ports', protocol, destination: String(port) }];
}

/** Matches traffic of pods; undefined when the proxy cannot recognise it. */
export function ifLocal(detector: LocalDetector): readonly Match[] | undefined {
  switch (detector.kind) {
    case 'none':
      return undefined;
    case 'cidr':
      return [{ kind: 'source', prefix: detector.cidr }];
    case 'interface':
      return [{ kind: 'in-interface', name: detector.name }];
    case 'interface-prefix':
      return [{ kind: 'in-interface', name: `${detector.prefix}+` }];
  }
}

/** Matches traffic that does not come from pods; undefined when the proxy cannot recognise it. */
export function ifNotLocal(detector: LocalDetector): readonly Match[] | undefined {
  return ifLocal(detector)?.map((match) => ({ ...match, not: true }) as Match);
}

const RANK = ['source', 'destination', 'in-interface', 'protocol'];

/** The same matches in the order in which iptables-save prints them. */
export function inOrder(matches: readonly Match[]): readonly Match[] {
  const rank = ({ kind }: Match): number => (RANK.includes(kind) ? RANK.indexOf(kind) : RANK.length);
  return matches.toSorted((a, b) => rank(a) - rank(b));
}
