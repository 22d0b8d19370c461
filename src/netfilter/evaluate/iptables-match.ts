import { parsePrefix, prefixContains } from '../address.ts';
import type { ConntrackState, Match } from '../iptables/rule.ts';
import { addressType } from './packet.ts';
import { type PathState, withNote } from './path-state.ts';

/** What a match makes of a packet: the share of packets that it lets through, and the state after it. */
export interface MatchResult {
  readonly state: PathState;
  readonly share: number;
}

/** Evaluates one match. What cannot be evaluated does not match, with a note. */
export function evaluateMatch(match: Match, state: PathState): MatchResult {
  if (match.kind === 'statistic-random') return { state, share: Number(match.probability) };
  if (match.kind === 'statistic-nth') return { state, share: 1 / match.every };
  if (match.kind === 'recent') return evaluateRecent(match, state);
  if (match.kind === 'other') {
    return { state: withNote(state, `not evaluated: ${match.words.join(' ')}`), share: 0 };
  }
  const not = 'not' in match && match.not === true;
  return { state, share: holds(match, state) !== not ? 1 : 0 };
}

type PlainMatch = Exclude<Match, { readonly kind: 'statistic-random' | 'statistic-nth' | 'recent' | 'other' }>;

function holds(match: PlainMatch, state: PathState): boolean {
  switch (match.kind) {
    case 'comment':
    case 'nfacct':
      return true;
    case 'protocol':
      return match.protocol === state.protocol;
    case 'source':
      return contains(match.prefix, state.source);
    case 'destination':
      return contains(match.prefix, state.destination);
    case 'in-interface':
      return isInterface(match.name, state.inInterface);
    case 'out-interface':
      return isInterface(match.name, '');
    case 'ports':
      return (
        match.protocol === state.protocol &&
        isPortIn(match.source, state.sourcePort) &&
        isPortIn(match.destination, state.destinationPort)
      );
    case 'conntrack-state':
      return match.states.some((wanted) => hasState(wanted, state));
    case 'mark':
      return (state.mark & match.mask) >>> 0 === match.value >>> 0;
    case 'address-type':
      return (
        addressType(state.host, match.side === 'source' ? state.source : state.destination) === match.type.toLowerCase()
      );
    // The proxy's rules ask it for bridged traffic of other programs; packets here are routed.
    case 'physdev-is-in':
      return false;
  }
}

// Most rules of a proxy name single addresses: those are compared as text.
function contains(prefix: string, address: string): boolean {
  const slash = prefix.indexOf('/');
  if (slash === -1) return prefix === address;
  const length = prefix.slice(slash + 1);
  if (length === (address.includes(':') ? '128' : '32')) return prefix.slice(0, slash) === address;
  const parsed = parsePrefix(prefix);
  return parsed !== undefined && prefixContains(parsed, address);
}

function isInterface(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function isPortIn(range: string | undefined, port: number): boolean {
  if (range === undefined) return true;
  const [first, last] = range.split(':');
  return Number(first) <= port && port <= Number(last ?? first);
}

function hasState(wanted: ConntrackState, state: PathState): boolean {
  if (wanted === 'DNAT') return state.isTranslated;
  if (wanted === 'SNAT') return state.isMasqueraded;
  return wanted.toLowerCase() === state.conntrackState;
}

function evaluateRecent(match: Extract<Match, { readonly kind: 'recent' }>, state: PathState): MatchResult {
  if (match.action === 'set') {
    return {
      state: { ...state, remembers: [...state.remembers, { list: match.list, client: state.source }] },
      share: 1,
    };
  }
  const isKnown = state.host.remembered?.get(match.list)?.has(state.source) ?? false;
  return { state, share: isKnown !== (match.not ?? false) ? 1 : 0 };
}
