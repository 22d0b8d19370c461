import type { Match, Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import { FORWARD, KUBELET_FIREWALL, MARK_MASQ, NODE_PORTS, POSTROUTING } from './chain-names.ts';
import { comment, host } from './phrases.ts';

/** What the kernel and the node's sysctls add to the facts. */
export interface FixedOptions {
  /** nf_conntrack_tcp_be_liberal was set at start: INVALID packets are then left alone. */
  readonly conntrackTcpBeLiberal: boolean;
}

const LOOPBACK = { ipv4: '127.0.0.0/8', ipv6: '::1/128' } as const;

/** KUBE-POSTROUTING: masquerades what is marked, once. */
export function buildPostrouting({ masqueradeMark: mark }: NodeNetwork): Chain {
  return {
    name: POSTROUTING,
    rules: [
      { matches: [{ kind: 'mark', value: mark, mask: mark, not: true }], target: { kind: 'return' } },
      // Cleared so that a packet that comes through again is not masqueraded twice.
      { matches: [], target: { kind: 'mark', value: mark, mask: 0 } },
      {
        matches: [comment('kubernetes service traffic requiring SNAT')],
        target: { kind: 'masquerade', randomFully: true },
      },
    ],
  };
}

/** KUBE-MARK-MASQ: marks a packet to be masqueraded. */
export function buildMarkMasq({ masqueradeMark: mark }: NodeNetwork): Chain {
  return { name: MARK_MASQ, rules: [{ matches: [], target: { kind: 'mark', value: mark, mask: mark } }] };
}

/** KUBE-FORWARD: lets Service traffic through a FORWARD policy of DROP, and stops packets out of window. */
export function buildForward({ masqueradeMark: mark }: NodeNetwork, options: FixedOptions): Chain {
  const invalid: Rule = { matches: [{ kind: 'conntrack-state', states: ['INVALID'] }], target: { kind: 'drop' } };
  return {
    name: FORWARD,
    rules: [
      ...(options.conntrackTcpBeLiberal ? [] : [invalid]),
      {
        matches: [comment('kubernetes forwarding rules'), { kind: 'mark', value: mark, mask: mark }],
        target: { kind: 'accept' },
      },
      {
        matches: [
          comment('kubernetes forwarding conntrack rule'),
          { kind: 'conntrack-state', states: ['RELATED', 'ESTABLISHED'] },
        ],
        target: { kind: 'accept' },
      },
    ],
  };
}

/** KUBE-FIREWALL: closes the hole that route_localnet opens (https://issue.k8s.io/90259); the kubelet writes the same. */
export function buildKubeletFirewall(node: NodeNetwork): Chain {
  const loopback = LOOPBACK.ipv4;
  const martian: Rule = {
    matches: [
      { kind: 'source', prefix: loopback, not: true },
      { kind: 'destination', prefix: loopback },
      comment('block incoming localnet connections'),
      { kind: 'conntrack-state', states: ['RELATED', 'ESTABLISHED', 'DNAT'], not: true },
    ],
    target: { kind: 'drop' },
  };
  return { name: KUBELET_FIREWALL, rules: hasLocalhostNodePorts(node) ? [martian] : [] };
}

/** The end of KUBE-SERVICES: what is left and addressed to this node may be a node port. */
export function buildNodePortJumps(node: NodeNetwork): Rule[] {
  const note = comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain');
  const target = { kind: 'jump', chain: NODE_PORTS } as const;
  if (node.nodePortAddresses.kind === 'list') {
    return node.nodePortAddresses.addresses
      .filter((ip) => hasLocalhostNodePorts(node) || !isLoopback(ip))
      .map((ip) => ({ matches: [{ kind: 'destination', prefix: host(ip) }, note], target }));
  }
  const local: Match = { kind: 'address-type', side: 'destination', type: 'LOCAL' };
  const except: Match = { kind: 'destination', prefix: LOOPBACK[node.family], not: true };
  return [{ matches: [...(hasLocalhostNodePorts(node) ? [] : [except]), note, local], target }];
}

/** True when node ports answer on loopback: IPv4 only, and only where node port addresses include it. */
export function hasLocalhostNodePorts({ family, localhostNodePorts, nodePortAddresses }: NodeNetwork): boolean {
  if (family === 'ipv6' || !localhostNodePorts) return false;
  return nodePortAddresses.kind === 'all' || nodePortAddresses.addresses.some(isLoopback);
}

const isLoopback = (ip: string): boolean => ip === '::1' || ip.startsWith('127.');
