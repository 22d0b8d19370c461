import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { printRules } from '../iptables/print-ruleset.ts';
import type { Match, Rule } from '../iptables/rule.ts';
import type { Chain } from '../iptables/ruleset.ts';
import type { Family } from '../runner.ts';

/** A port of the machine that leads to a port of a pod. */
export interface HostPortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  /** Only this address of the machine; undefined means all of the pod address's family. */
  readonly hostIP?: string | undefined;
  readonly podIP: string;
  readonly containerPort: number;
}

/** The mappings of one pod under a name of its own. */
export interface HostPortOwner {
  readonly owner: string;
  readonly mappings: readonly HostPortMapping[];
}

const MASQUERADE_MARK = 0x2000;
// What a chain name may be long, less `CNI-DN-`.
const HASH_LENGTH = 21;

/** The jumps that bring packets to the chains, one rule behind `-A` each; they stay when the last mapping goes. */
export const hostPortJumps: readonly (readonly string[])[] = [
  ['PREROUTING', '-m', 'addrtype', '--dst-type', 'LOCAL', '-j', 'CNI-HOSTPORT-DNAT'],
  ['OUTPUT', '-m', 'addrtype', '--dst-type', 'LOCAL', '-j', 'CNI-HOSTPORT-DNAT'],
  ['POSTROUTING', '-m', 'comment', '--comment', 'CNI portfwd requiring masquerade', '-j', 'CNI-HOSTPORT-MASQ'],
];

/** Name of the chain with the mappings of one owner, in the form of the CNI plugin portmap. */
export function hostPortChain(owner: string): string {
  return `CNI-DN-${createHash('sha512').update(owner).digest('hex').slice(0, HASH_LENGTH)}`;
}

/**
 * Builds the chains of the nat table that make host ports of one family, with the names of the CNI plugin portmap: every
 * owner has a chain, CNI-HOSTPORT-DNAT leads to it, and what comes back from the machine or the pod itself is masqueraded.
 */
export function buildHostPorts(family: Family, owners: readonly HostPortOwner[]): readonly Chain[] {
  const own = owners
    .map(({ owner, mappings }) => ({ owner, mappings: mappings.filter((mapping) => isOf(family, mapping)) }))
    .filter(({ mappings }) => mappings.length > 0);
  return [
    { name: 'CNI-HOSTPORT-DNAT', rules: own.flatMap(dispatchRules) },
    { name: 'CNI-HOSTPORT-SETMARK', rules: [markRule] },
    { name: 'CNI-HOSTPORT-MASQ', rules: [masqueradeRule] },
    ...own.map(({ owner, mappings }) => ({ name: hostPortChain(owner), rules: mappings.flatMap(mappingRules) })),
  ];
}

/** The text for `iptables-restore --noflush`: these chains as they are now, and `gone` no more. */
export function printHostPorts(chains: readonly Chain[], gone: readonly string[]): string {
  const declarations = [...chains.map(({ name }) => name), ...gone].map((name) => `:${name} - [0:0]`);
  const deletions = gone.map((name) => `-X ${name}`);
  return ['*nat', ...declarations, ...chains.flatMap(printRules), ...deletions, 'COMMIT', ''].join('\n');
}

const markRule: Rule = {
  matches: [{ kind: 'comment', text: 'CNI portfwd masquerade mark' }],
  target: { kind: 'mark', value: MASQUERADE_MARK, mask: MASQUERADE_MARK },
};
const masqueradeRule: Rule = {
  matches: [{ kind: 'mark', value: MASQUERADE_MARK, mask: MASQUERADE_MARK }],
  target: { kind: 'masquerade', randomFully: false },
};

function isOf(family: Family, { podIP, hostIP }: HostPortMapping): boolean {
  const isV6 = family === 'ipv6';
  return isIPv6(podIP) === isV6 && (hostIP === undefined || isIPv6(hostIP) === isV6);
}

function dispatchRules({ owner, mappings }: HostPortOwner): readonly Rule[] {
  return mappings.map((mapping) => ({
    matches: [...portMatches(mapping), { kind: 'comment', text: `dnat name: "towtank" id: "${owner}"` }],
    target: { kind: 'jump', chain: hostPortChain(owner) },
  }));
}

function mappingRules(mapping: HostPortMapping): readonly Rule[] {
  const { podIP, containerPort } = mapping;
  const isV6 = isIPv6(podIP);
  // What the pod sends to itself, and what the machine sends from its loopback, would get answers that nobody recognises.
  const masqueraded = [`${podIP}/${isV6 ? 128 : 32}`, ...(isV6 ? [] : ['127.0.0.1/32'])];
  const marks = masqueraded.map((prefix): Rule => {
    const matches: readonly Match[] = [{ kind: 'source', prefix }, ...portMatches(mapping)];
    return { matches, target: { kind: 'jump', chain: 'CNI-HOSTPORT-SETMARK' } };
  });
  const to = isV6 ? `[${podIP}]:${containerPort}` : `${podIP}:${containerPort}`;
  return [...marks, { matches: portMatches(mapping), target: { kind: 'dnat', to } }];
}

function portMatches({ protocol, hostPort, hostIP }: HostPortMapping): readonly Match[] {
  const address: readonly Match[] =
    hostIP === undefined ? [] : [{ kind: 'destination', prefix: `${hostIP}/${isIPv6(hostIP) ? 128 : 32}` }];
  return [...address, { kind: 'protocol', protocol }, { kind: 'ports', protocol, destination: String(hostPort) }];
}
