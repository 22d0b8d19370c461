import { parseOptionalCIDR } from '../../ipam/cidr.ts';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import { validateBlock } from './addresses.ts';
import { forbidden, invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { validateLabelSelector } from './label-selector.ts';
import { portName, portNumber } from './names.ts';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const TYPES = ['Ingress', 'Egress'];

/** What is wrong with a NetworkPolicy; blocks that stood in the live version are not looked at again. */
export function validateNetworkPolicy({ spec = {} }: NetworkPolicy, live?: NetworkPolicy): FieldCause[] {
  const known = live ? blocksOf(live) : [];
  const causes = validateLabelSelector(spec.podSelector, 'spec.podSelector');
  const rules = [
    ...(spec.ingress ?? []).map(({ ports, from }, i) => ({
      ports,
      peers: from,
      path: `spec.ingress[${i}]`,
      name: 'from',
    })),
    ...(spec.egress ?? []).map(({ ports, to }, i) => ({ ports, peers: to, path: `spec.egress[${i}]`, name: 'to' })),
  ];
  for (const { ports = [], peers = [], path, name } of rules) {
    causes.push(...ports.flatMap((port, i) => validatePort(port, `${path}.ports[${i}]`)));
    causes.push(...peers.flatMap((peer, i) => validatePeer(peer, `${path}.${name}[${i}]`, known)));
  }
  return [...causes, ...validateTypes(spec.policyTypes ?? [])];
}

function blocksOf({ spec = {} }: NetworkPolicy): string[] {
  const peers = [
    ...(spec.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(spec.egress ?? []).flatMap(({ to }) => to ?? []),
  ];
  return peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : []));
}

function validateTypes(types: readonly string[]): FieldCause[] {
  if (types.length > 2) return [invalid('spec.policyTypes', types, 'may not specify more than two policyTypes')];
  return types.flatMap((type, i) =>
    TYPES.includes(type) ? [] : [notSupported(`spec.policyTypes[${i}]`, type, TYPES)],
  );
}

function validatePort({ protocol, port, endPort }: NetworkPolicyPort, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  if (protocol !== undefined && !PROTOCOLS.includes(protocol))
    causes.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
  const end = `${path}.endPort`;
  if (port === undefined) {
    if (endPort !== undefined) causes.push(invalid(end, endPort, 'may not be specified when `port` is not specified'));
  } else if (typeof port === 'number') {
    causes.push(...invalidEach(`${path}.port`, port, portNumber(port)));
    if (endPort === undefined) return causes;
    if (endPort < port) causes.push(invalid(end, port, 'must be greater than or equal to `port`'));
    causes.push(...invalidEach(end, endPort, portNumber(endPort)));
  } else {
    if (endPort !== undefined) causes.push(invalid(end, endPort, 'may not be specified when `port` is non-numeric'));
    causes.push(...invalidEach(`${path}.port`, port, portName(port)));
  }
  return causes;
}

function validatePeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  path: string,
  known: readonly string[],
): FieldCause[] {
  const causes = [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock ? validateIPBlock(ipBlock, `${path}.ipBlock`, known) : []),
  ];
  const selects = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selects && !ipBlock) causes.push(required(path, 'must specify a peer'));
  else if (selects && ipBlock) causes.push(forbidden(path, 'may not specify both ipBlock and another peer'));
  return causes;
}

function validateIPBlock({ cidr, except = [] }: IPBlock, path: string, known: readonly string[]): FieldCause[] {
  if (!cidr) return [required(`${path}.cidr`)];
  const causes = validateBlock(cidr, `${path}.cidr`, known);
  const outer = parseOptionalCIDR(cidr);
  if (!outer) return causes;
  except.forEach((text, i) => {
    const at = `${path}.except[${i}]`;
    causes.push(...validateBlock(text, at, known));
    const inner = parseOptionalCIDR(text);
    if (!inner) return;
    const inside = inner.family === outer.family && inner.first >= outer.first && inner.last <= outer.last;
    if (!inside || inner.prefixLength <= outer.prefixLength) {
      causes.push(invalid(at, text, 'must be a strict subset of `cidr`'));
    }
  });
  return causes;
}
