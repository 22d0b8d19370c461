import { familyOf } from '../../ipam/address.ts';
import type { Service, ServicePort, ServiceSpec } from '../../kube/generated/types.ts';
import type { FieldCause } from '../schema/contract.ts';
import {
  type AdmitsLoopback,
  addressWarnings,
  validateAddress,
  validateBlock,
  validateEndpointAddress,
} from './addresses.ts';
import { duplicate, forbidden, invalid, invalidEach, keyPath, notSupported, required } from './field-errors.ts';
import { validateHostname } from './ingress.ts';
import { dns1123Label, dns1123Subdomain, portName, portNumber, qualifiedName } from './names.ts';
import { validateLabels } from './object-meta.ts';
import { validateTrafficPolicies } from './service-traffic.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const AFFINITIES = ['ClientIP', 'None'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const TOPOLOGY_HINTS = 'service.kubernetes.io/topology-aware-hints';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const MAX_AFFINITY_SECONDS = 86_400;

const isHeadless = (spec: ServiceSpec): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';

/** What is wrong with a Service; values that stood in the live version are not looked at again where upstream spares them. */
export function validateService(
  service: Service,
  live: Service | undefined,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  const { metadata, spec = {} } = service;
  const annotations = metadata?.annotations ?? {};
  const causes: FieldCause[] = [];
  const [mode, hints] = [annotations[TOPOLOGY_MODE], annotations[TOPOLOGY_HINTS]];
  if (mode !== undefined && hints !== undefined && mode !== hints) {
    const detail = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
    causes.push(invalid(keyPath('metadata.annotations', TOPOLOGY_MODE), mode, detail));
  }
  if (!spec.ports?.length && !isHeadless(spec) && spec.type !== 'ExternalName') causes.push(required('spec.ports'));
  causes.push(
    ...validateByType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIPs(spec, live?.spec),
    ...validateExternalIPs(spec, live?.spec, admits),
    ...validateType(spec),
    ...validateSourceRanges(spec, annotations, live),
    ...validateBalancerFields(spec, live?.spec),
    ...validateTrafficPolicies(spec, live?.spec),
  );
  return causes;
}

/** What is wrong with the status of a Service. */
export function validateServiceStatus({ spec, status }: Service, live: Service): FieldCause[] {
  const points = status?.loadBalancer?.ingress ?? [];
  const path = 'status.loadBalancer.ingress';
  if (spec?.type !== 'LoadBalancer' && points.length > 0) {
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const known = (live.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  return points.flatMap(({ ip, hostname, ipMode }, i) => {
    const at = `${path}[${i}]`;
    const causes = ip ? validateAddress(ip, `${at}.ip`, known) : [];
    if (ipMode === undefined && ip) causes.push(required(`${at}.ipMode`, 'must be specified when `ip` is set'));
    else if (ipMode !== undefined && !ip)
      causes.push(forbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set'));
    else if (ipMode !== undefined && ipMode !== 'VIP' && ipMode !== 'Proxy') {
      causes.push(notSupported(`${at}.ipMode`, ipMode, ['Proxy', 'VIP']));
    }
    return [...causes, ...validateHostname(hostname, `${at}.hostname`)];
  });
}

/** Warnings of the real server for a Service that is accepted. */
export function serviceWarnings({ metadata, spec = {} }: Service): string[] {
  const warnings =
    TOPOLOGY_HINTS in (metadata?.annotations ?? {})
      ? [`metadata.annotations[${TOPOLOGY_HINTS}]: deprecated, use service.kubernetes.io/topology-mode instead`]
      : [];
  if (isHeadless(spec)) {
    if (spec.loadBalancerIP) warnings.push('spec.loadBalancerIP is ignored when spec.clusterIP is set to "None"');
    if (spec.externalIPs?.length) warnings.push('spec.externalIPs is ignored when spec.clusterIP is set to "None"');
    if (spec.sessionAffinity && spec.sessionAffinity !== 'None') {
      warnings.push('spec.SessionAffinity is ignored for headless services');
    }
  }
  if (spec.type === 'ExternalName') {
    if (spec.externalIPs?.length) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
    if (spec.externalName && familyOf(spec.externalName)) {
      warnings.push(`spec.externalName: ${spec.externalName} is an IP address`);
    }
  }
  const ips = (spec.clusterIPs ?? []).flatMap((ip, i) =>
    ip === 'None' ? [] : addressWarnings(ip, `spec.clusterIPs[${i}]`),
  );
  return [
    ...warnings,
    ...ips,
    ...(spec.externalIPs ?? []).flatMap((ip, i) => addressWarnings(ip, `spec.externalIPs[${i}]`)),
  ];
}

function validateByType(spec: ServiceSpec): FieldCause[] {
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec)) {
    return [invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)];
  }
  if (spec.type !== 'ExternalName') return [];
  const causes: FieldCause[] = [];
  const detail = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) causes.push(forbidden('spec.clusterIPs', detail));
  if (spec.ipFamilies?.length) causes.push(forbidden('spec.ipFamilies', detail));
  if (spec.ipFamilyPolicy !== undefined) causes.push(forbidden('spec.ipFamilyPolicy', detail));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') causes.push(required('spec.externalName'));
  else causes.push(...invalidEach('spec.externalName', name, dns1123Subdomain(name)));
  return causes;
}

function validatePorts({ ports = [] }: ServiceSpec): FieldCause[] {
  const names = new Set<string>();
  return ports.flatMap((port, i) => validatePort(port, ports.length > 1, names, `spec.ports[${i}]`));
}

function validatePort(port: ServicePort, named: boolean, names: Set<string>, path: string): FieldCause[] {
  const { name = '', protocol, targetPort, appProtocol } = port;
  const causes: FieldCause[] = [];
  if (name === '' && named) causes.push(required(`${path}.name`));
  else if (name !== '') {
    causes.push(...invalidEach(`${path}.name`, name, dns1123Label(name)));
    if (names.has(name)) causes.push(duplicate(`${path}.name`, name));
    names.add(name);
  }
  causes.push(...invalidEach(`${path}.port`, port.port ?? 0, portNumber(port.port)));
  if (!protocol) causes.push(required(`${path}.protocol`));
  else if (!PROTOCOLS.includes(protocol)) causes.push(notSupported(`${path}.protocol`, protocol, PROTOCOLS));
  if (typeof targetPort === 'string')
    causes.push(...invalidEach(`${path}.targetPort`, targetPort, portName(targetPort)));
  else causes.push(...invalidEach(`${path}.targetPort`, targetPort ?? 0, portNumber(targetPort)));
  if (appProtocol !== undefined)
    causes.push(...invalidEach(`${path}.appProtocol`, appProtocol, qualifiedName(appProtocol)));
  return causes;
}

function validateAffinity({ sessionAffinity: affinity, sessionAffinityConfig: config }: ServiceSpec): FieldCause[] {
  const path = 'spec.sessionAffinityConfig';
  if (!affinity) return [required('spec.sessionAffinity')];
  if (!AFFINITIES.includes(affinity)) return [notSupported('spec.sessionAffinity', affinity, AFFINITIES)];
  if (affinity === 'None') {
    return config === undefined ? [] : [forbidden(path, 'must not be set when session affinity is None')];
  }
  const detail = 'when session affinity type is ClientIP';
  if (config === undefined) return [required(path, detail)];
  if (config.clientIP === undefined) return [required(`${path}.clientIP`, detail)];
  const seconds = config.clientIP.timeoutSeconds;
  if (seconds === undefined) return [required(`${path}.clientIP.timeoutSeconds`, detail)];
  if (seconds > 0 && seconds <= MAX_AFFINITY_SECONDS) return [];
  return [
    invalid(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`),
  ];
}

function validateClusterIPs(spec: ServiceSpec, live: ServiceSpec | undefined): FieldCause[] {
  if (spec.type === 'ExternalName') return [];
  const { clusterIP, clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec;
  const causes: FieldCause[] = [];
  if (clusterIP) {
    if (clusterIPs.length === 0) causes.push(required('spec.clusterIPs'));
    else if (clusterIPs[0] !== clusterIP) {
      causes.push(invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'));
    }
  } else if (clusterIPs.length > 0) {
    causes.push(invalid('spec.clusterIPs', clusterIPs, 'must be empty when `clusterIP` is not specified'));
  }
  const seen = new Set<string>();
  ipFamilies.forEach((family, i) => {
    if (!FAMILIES.includes(family)) causes.push(notSupported(`spec.ipFamilies[${i}]`, family, FAMILIES));
    if (seen.has(family)) causes.push(duplicate(`spec.ipFamilies[${i}]`, family));
    seen.add(family);
  });
  if (ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(ipFamilyPolicy)) {
    causes.push(notSupported('spec.ipFamilyPolicy', ipFamilyPolicy, FAMILY_POLICIES));
  }
  return [...causes, ...validateClusterIPList(spec, live)];
}

function validateClusterIPList(spec: ServiceSpec, live: ServiceSpec | undefined): FieldCause[] {
  const { clusterIPs = [], ipFamilies = [] } = spec;
  const wrong = clusterIPs.flatMap((ip, i) => {
    if (i !== 0 || ip !== 'None') return validateAddress(ip, `spec.clusterIPs[${i}]`, live?.clusterIPs);
    return clusterIPs.length > 1
      ? [invalid('spec.clusterIPs', clusterIPs, "'None' must be the first and only value")]
      : [];
  });
  if (clusterIPs.length > 2) wrong.push(invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'));
  if (wrong.length > 0 || isHeadless(spec)) return wrong;
  if (clusterIPs.length === 2 && familyOf(clusterIPs[0]!) === familyOf(clusterIPs[1]!)) {
    return [invalid('spec.clusterIPs', clusterIPs, 'may specify no more than one IP for each IP family')];
  }
  return clusterIPs.slice(0, ipFamilies.length).flatMap((ip, i) => {
    const family = ipFamilies[i]!;
    if (!FAMILIES.includes(family) || familyOf(ip) === family) return [];
    return [invalid(`spec.clusterIPs[${i}]`, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
  });
}

function validateExternalIPs(
  { externalIPs = [] }: ServiceSpec,
  live: ServiceSpec | undefined,
  admits: AdmitsLoopback | undefined,
): FieldCause[] {
  return externalIPs.flatMap((ip, i) => {
    const causes = validateAddress(ip, `spec.externalIPs[${i}]`, live?.externalIPs);
    return causes.length > 0 ? causes : validateEndpointAddress(ip, `spec.externalIPs[${i}]`, admits);
  });
}

function validateType({ type, ports = [] }: ServiceSpec): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!type) causes.push(required('spec.type'));
  else if (!TYPES.includes(type)) causes.push(notSupported('spec.type', type, TYPES));
  const nodePorts = new Set<string>();
  ports.forEach(({ nodePort, protocol }, i) => {
    const path = `spec.ports[${i}].nodePort`;
    if (nodePort && type === 'ClusterIP') causes.push(forbidden(path, "may not be used when `type` is 'ClusterIP'"));
    if (!nodePort) return;
    if (nodePorts.has(`${protocol}/${nodePort}`)) causes.push(duplicate(path, nodePort));
    nodePorts.add(`${protocol}/${nodePort}`);
  });
  const seen = new Set<string>();
  ports.forEach(({ port, protocol }, i) => {
    // Upstream prints its internal struct here, all fields and their Go names.
    const value = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
    if (seen.has(`${protocol}/${port}`)) causes.push(duplicate(`spec.ports[${i}]`, value));
    seen.add(`${protocol}/${port}`);
  });
  return causes;
}

function validateSourceRanges(
  { type, loadBalancerSourceRanges: ranges = [] }: ServiceSpec,
  annotations: Readonly<Record<string, string>>,
  live: Service | undefined,
): FieldCause[] {
  const onlyBalancer = "may only be used when `type` is 'LoadBalancer'";
  const annotation = annotations[SOURCE_RANGES];
  if (ranges.length === 0) {
    if (annotation === undefined) return [];
    const path = keyPath('metadata.annotations', SOURCE_RANGES);
    const causes = type === 'LoadBalancer' ? [] : [forbidden(path, onlyBalancer)];
    if (live?.metadata?.annotations?.[SOURCE_RANGES] === annotation || annotation.trim() === '') return causes;
    return [...causes, ...annotation.split(',').flatMap((text) => validateBlock(text.trim(), path))];
  }
  const path = 'spec.LoadBalancerSourceRanges';
  const causes = type === 'LoadBalancer' ? [] : [forbidden(path, onlyBalancer)];
  const known = live?.spec?.loadBalancerSourceRanges?.map((text) => text.trim());
  return [...causes, ...ranges.flatMap((text, i) => validateBlock(text.trim(), `${path}[${i}]`, known))];
}

function validateBalancerFields(spec: ServiceSpec, live: ServiceSpec | undefined): FieldCause[] {
  const { type, allocateLoadBalancerNodePorts: allocate, loadBalancerClass } = spec;
  const onlyBalancer = "may only be used when `type` is 'LoadBalancer'";
  const balancer = type === 'LoadBalancer';
  const causes: FieldCause[] = [];
  if (allocate !== undefined && !balancer) causes.push(forbidden('spec.allocateLoadBalancerNodePorts', onlyBalancer));
  if (allocate === undefined && balancer) causes.push(required('allocateLoadBalancerNodePorts'));
  if (balancer && live?.type === 'LoadBalancer' && live.loadBalancerClass !== loadBalancerClass) {
    causes.push(invalid('spec.loadBalancerClass', loadBalancerClass ?? null, 'may not change once set'));
  }
  if (loadBalancerClass === undefined) return causes;
  if (!balancer) return [...causes, forbidden('spec.loadBalancerClass', onlyBalancer)];
  return [...causes, ...invalidEach('spec.loadBalancerClass', loadBalancerClass, qualifiedName(loadBalancerClass))];
}
