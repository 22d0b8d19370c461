import type { Match, Rule } from '../../netfilter/iptables/rule.ts';
import type { TableName } from '../../netfilter/iptables/ruleset.ts';
import {
  EXTERNAL_SERVICES,
  FORWARD,
  KUBELET_FIREWALL,
  NODE_PORTS,
  POSTROUTING,
  PROXY_FIREWALL,
  SERVICES,
} from './chain-names.ts';
import { comment } from './phrases.ts';

/** A rule of a built-in chain that leads into ours. */
export interface Jump {
  readonly table: TableName;
  readonly from: 'INPUT' | 'FORWARD' | 'OUTPUT' | 'PREROUTING' | 'POSTROUTING';
  readonly to: string;
  readonly rule: Rule;
}

const NEW: Match = { kind: 'conntrack-state', states: ['NEW'] };

function jump(
  table: TableName,
  from: Jump['from'],
  { to, when = [], note }: { readonly to: string; readonly when?: readonly Match[]; readonly note?: string },
): Jump {
  const matches = note === undefined ? when : [...when, comment(note)];
  return { table, from, to, rule: { matches, target: { kind: 'jump', chain: to } } };
}

const EXTERNAL = { to: EXTERNAL_SERVICES, when: [NEW], note: 'kubernetes externally-visible service portals' };
const PORTALS = { to: SERVICES, when: [NEW], note: 'kubernetes service portals' };
const FIREWALL = { to: PROXY_FIREWALL, when: [NEW], note: 'kubernetes load balancer firewall' };

/** Each is put on top of its chain, in this order, when it is missing: so the last ends up first. */
export const JUMPS: readonly Jump[] = [
  jump('filter', 'INPUT', EXTERNAL),
  jump('filter', 'FORWARD', EXTERNAL),
  jump('filter', 'INPUT', { to: NODE_PORTS, note: 'kubernetes health check service ports' }),
  jump('filter', 'FORWARD', PORTALS),
  jump('filter', 'OUTPUT', PORTALS),
  jump('filter', 'FORWARD', { to: FORWARD, note: 'kubernetes forwarding rules' }),
  jump('filter', 'INPUT', FIREWALL),
  jump('filter', 'OUTPUT', FIREWALL),
  jump('filter', 'FORWARD', FIREWALL),
  jump('nat', 'OUTPUT', { to: SERVICES, note: 'kubernetes service portals' }),
  jump('nat', 'PREROUTING', { to: SERVICES, note: 'kubernetes service portals' }),
  jump('nat', 'POSTROUTING', { to: POSTROUTING, note: 'kubernetes postrouting rules' }),
  jump('filter', 'INPUT', { to: KUBELET_FIREWALL }),
  jump('filter', 'OUTPUT', { to: KUBELET_FIREWALL }),
];
