import type { HookName } from '../nftables/table.ts';
import type { ConntrackState, Host, Packet } from './packet.ts';

/** A rule that matched. */
export interface Step {
  readonly hook: HookName;
  /** `ip kube-proxy` (nftables) or `nat` (iptables). */
  readonly table: string;
  readonly chain: string;
  /** Position in the chain, from 1. */
  readonly position: number;
  /** The rule as the tools print it. */
  readonly rule: string;
}

interface StepList {
  readonly step: Step;
  readonly before: StepList | undefined;
}

/** A packet on its way, in one of the ways that chance may take. */
export interface PathState {
  readonly host: Host;
  readonly hook: HookName;
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly inInterface: string;
  readonly mark: number;
  readonly conntrackState: ConntrackState;
  /** Share of packets that take this way. */
  readonly probability: number;
  /** Set once the kernel has decided the translation of that side; nat chains are not asked again. */
  readonly hasDestinationNat: boolean;
  readonly hasSourceNat: boolean;
  readonly isTranslated: boolean;
  readonly isMasqueraded: boolean;
  readonly isAccepted: boolean;
  /** Clients that this packet makes session affinity remember. */
  readonly remembers: readonly { readonly list: string; readonly client: string }[];
  /** What could not be evaluated. */
  readonly notes: readonly string[];
  readonly steps: StepList | undefined;
}

/** Where a packet begins. */
export function startOf(packet: Packet, host: Host): PathState {
  return {
    host,
    hook: packet.from === 'network' ? 'prerouting' : 'output',
    source: packet.source,
    destination: packet.destination,
    protocol: packet.protocol,
    sourcePort: packet.sourcePort,
    destinationPort: packet.destinationPort,
    inInterface: packet.from === 'network' ? (packet.inInterface ?? '') : '',
    mark: packet.mark ?? 0,
    conntrackState: packet.conntrackState ?? 'new',
    probability: 1,
    hasDestinationNat: false,
    hasSourceNat: false,
    isTranslated: false,
    isMasqueraded: false,
    isAccepted: false,
    remembers: [],
    notes: [],
    steps: undefined,
  };
}

/** The state with one more rule that matched. */
export function withStep(state: PathState, step: Step): PathState {
  return { ...state, steps: { step, before: state.steps } };
}

/** The state with a remark on what could not be evaluated; once. */
export function withNote(state: PathState, note: string): PathState {
  return state.notes.includes(note) ? state : { ...state, notes: [...state.notes, note] };
}

/** The way taken by this share of the packets of `state`. */
export function withShare(state: PathState, share: number): PathState {
  return share === 1 ? state : { ...state, probability: state.probability * share };
}

/** The state after DNAT to `ip:port` (brackets around IPv6); without a port the port stays. */
export function translateTo(state: PathState, to: string): PathState {
  const close = to.indexOf(']');
  const colon = to.lastIndexOf(':');
  const hasPort = close === -1 ? colon !== -1 && to.indexOf(':') === colon : colon > close;
  const address = close === -1 ? (hasPort ? to.slice(0, colon) : to) : to.slice(1, close);
  const destinationPort = hasPort ? Number(to.slice(colon + 1)) : state.destinationPort;
  return { ...state, destination: address, destinationPort, isTranslated: true };
}

/** The steps in the order in which they were taken. */
export function stepsOf(state: PathState): Step[] {
  const steps: Step[] = [];
  for (let list = state.steps; list !== undefined; list = list.before) steps.push(list.step);
  return steps.reverse();
}
