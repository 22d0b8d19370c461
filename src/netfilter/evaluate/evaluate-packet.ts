import { joinHostPort } from '../address.ts';
import type { IptablesRuleset } from '../iptables/ruleset.ts';
import type { Table } from '../nftables/table.ts';
import type { Branch } from './hook-program.ts';
import { iptablesPrograms } from './iptables-programs.ts';
import { nftablesPrograms } from './nftables-programs.ts';
import { familyOfPacket, type Host, type Packet } from './packet.ts';
import { type PathState, type Step, startOf, stepsOf } from './path-state.ts';
import { walkHooks } from './walk-hooks.ts';

/** `deliver`: translated to an endpoint. `pass`: the rules leave the packet as it is. */
export type PacketVerdict = 'deliver' | 'reject' | 'drop' | 'pass';

/** One of the ways that chance may take, with every rule that matched. */
export interface PacketPath {
  readonly verdict: PacketVerdict;
  readonly probability: number;
  /** `ip:port` that it is delivered to. */
  readonly endpoint?: string | undefined;
  /** The endpoint sees an address of the host instead of the sender's. */
  readonly masquerade: boolean;
  /** A filter rule let it through explicitly. */
  readonly accepted: boolean;
  readonly steps: readonly Step[];
  readonly remembers: PathState['remembers'];
  readonly notes: readonly string[];
}

export interface PacketEndpoint {
  readonly address: string;
  readonly probability: number;
  readonly masquerade: boolean;
}

/** What becomes of a packet. */
export interface Evaluation {
  /** The likeliest verdict; kube-proxy's rules have one for all ways. */
  readonly verdict: PacketVerdict;
  /** Every endpoint that it may be delivered to, by address. */
  readonly endpoints: readonly PacketEndpoint[];
  readonly paths: readonly PacketPath[];
}

/** Rulesets of one host, of any back end. */
export interface HostRules {
  readonly nftables?: readonly Table[] | undefined;
  /** By family; the one of the packet is used. */
  readonly iptables?: readonly IptablesRuleset[] | undefined;
}

/** Walks a packet through the rules of a host, hook by hook. Throws RangeError when its destination is no address. */
export function evaluatePacket(rules: HostRules, packet: Packet, host: Host): Evaluation {
  const family = familyOfPacket(packet);
  const programs = [
    ...(rules.iptables ?? []).filter((ruleset) => ruleset.family === family).flatMap(iptablesPrograms),
    ...nftablesPrograms(rules.nftables ?? [], family),
  ];
  const paths = walkHooks(programs, startOf(packet, host)).map(pathOf);
  const endpoints = endpointsOf(paths);
  return { verdict: likeliest(paths), endpoints, paths };
}

function pathOf({ state, result }: Branch): PacketPath {
  const delivered = result === 'accept' && state.isTranslated;
  return {
    verdict: result === 'drop' || result === 'reject' ? result : delivered ? 'deliver' : 'pass',
    probability: state.probability,
    ...(delivered ? { endpoint: joinHostPort(state.destination, state.destinationPort) } : {}),
    masquerade: state.isMasqueraded,
    accepted: state.isAccepted,
    steps: stepsOf(state),
    remembers: state.remembers,
    notes: state.notes,
  };
}

function endpointsOf(paths: readonly PacketPath[]): PacketEndpoint[] {
  const found = new Map<string, PacketEndpoint>();
  for (const { endpoint, masquerade, probability } of paths) {
    if (endpoint === undefined) continue;
    const key = `${endpoint} ${masquerade}`;
    const before = found.get(key)?.probability ?? 0;
    found.set(key, { address: endpoint, probability: before + probability, masquerade });
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

function likeliest(paths: readonly PacketPath[]): PacketVerdict {
  const totals = new Map<PacketVerdict, number>();
  for (const { verdict, probability } of paths) totals.set(verdict, (totals.get(verdict) ?? 0) + probability);
  return [...totals].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 'pass';
}
