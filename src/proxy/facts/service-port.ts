import type { Service, ServicePort as ServicePortSpec } from '../../kube/generated/types.ts';
import { canonicalAddress, familyOf, parsePrefix, printPrefix } from '../../netfilter/address.ts';
import type { Family } from '../../netfilter/runner.ts';
import { isPort, type Protocol, protocolOf } from './protocol.ts';
import { servicePortKey, servicePortText } from './service-port-name.ts';

/**
 * How a new connection picks its endpoint: `random` as kube-proxy does, each in turn, or the one with the fewest open
 * connections, which userspace mode alone can count: elsewhere that is `random`.
 */
export type Balancing = (typeof BALANCINGS)[number];
const BALANCINGS = ['random', 'round-robin', 'least-connections'] as const;

/** Per Service choice of Balancing; without it the proxy's own setting holds. */
export const BALANCING_ANNOTATION = 'towtank.dev/balancing';

/** `v2`: userspace mode tells endpoints the address of a TCP client first, in HAProxy's PROXY protocol. */
export const PROXY_PROTOCOL_ANNOTATION = 'towtank.dev/proxy-protocol';

/** `preserve`: userspace mode connects to endpoints of its node from the client's own address. */
export const CLIENT_ADDRESS_ANNOTATION = 'towtank.dev/client-address';

/** One port of one Service in one IP family, with everything that a proxy needs of it. Addresses are canonical text. */
export interface ServicePort {
  /** `namespace/name:port/TCP`: the key of all maps. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Name of the port, '' when it has none. */
  readonly portName: string;
  /** `namespace/name:port`, without colon for an unnamed port: how kube-proxy's comments and hashes spell it. */
  readonly text: string;
  readonly family: Family;
  readonly protocol: Protocol;
  readonly clusterIP: string;
  readonly port: number;
  /** 0 when it has none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  /** Addresses of status.loadBalancer of this family with ipMode VIP. */
  readonly loadBalancerVIPs: readonly string[];
  /** Prefixes of this family; empty means that everybody may come. */
  readonly loadBalancerSourceRanges: readonly string[];
  /** Timeout of ClientIP session affinity in seconds, 0 without affinity. */
  readonly affinitySeconds: number;
  readonly externalPolicyLocal: boolean;
  readonly internalPolicyLocal: boolean;
  /** 0 when it has none. */
  readonly healthCheckNodePort: number;
  /** Value of the topology annotation, '' without one; read only when gate ServiceTrafficDistribution is off. */
  readonly hintsAnnotation: string;
  /** From the annotation towtank.dev/balancing. */
  readonly balancing: Balancing | undefined;
  /** From the annotation towtank.dev/proxy-protocol. */
  readonly proxyProtocol?: boolean;
  /** From the annotation towtank.dev/client-address. */
  readonly preservesClient?: boolean;
  /** Reachable by something else than its cluster IP. */
  readonly externallyAccessible: boolean;
  /** Some traffic may go to endpoints of the whole cluster. */
  readonly usesClusterEndpoints: boolean;
  /** Some traffic may go only to endpoints of this node. */
  readonly usesLocalEndpoints: boolean;
}

export interface ServicePortOptions {
  /** Gate LoadBalancerIPMode (locked on since 1.32): when false every ingress address counts. */
  readonly loadBalancerIPMode: boolean;
  /** Told of each value that is skipped as invalid, with the field's path and, where there are few, the values that are known. */
  readonly onInvalid?: (field: string, value: string, known?: readonly string[]) => void;
}

const AFFINITY_DEFAULT_SECONDS = 10_800;
const AFFINITY_MAX_SECONDS = 86_400;
const FAMILY_NAMES: readonly string[] = ['IPv4', 'IPv6'];

/** The ServicePorts of a Service in one family; none when it has no cluster IP of that family or needs no proxy. */
export function buildServicePorts(service: Service, family: Family, options: ServicePortOptions): ServicePort[] {
  const clusterIP = clusterIPOf(service, family, options);
  if (clusterIP === undefined || !hasPlainNames(service, options)) return [];
  const shared = buildShared(service, family, options);
  const byKey = new Map<string, ServicePort>();
  for (const [index, spec] of (service.spec?.ports ?? []).entries()) {
    if (!isPlain(spec.name ?? '', `spec.ports[${index}].name`, options)) continue;
    const port = buildPort({ ...shared, clusterIP, family, index }, spec, options);
    if (port !== undefined) byKey.set(port.key, port);
  }
  return [...byKey.values()];
}

// Names become part of rules as text. API servers let nothing else through, and from others a line break could be a rule.
function isPlain(name: string, field: string, { onInvalid }: ServicePortOptions): boolean {
  if (/^[A-Za-z0-9._-]*$/.test(name)) return true;
  onInvalid?.(field, name);
  return false;
}

function hasPlainNames({ metadata }: Service, options: ServicePortOptions): boolean {
  const { name = '', namespace = '' } = metadata ?? {};
  return isPlain(name, 'metadata.name', options) && isPlain(namespace, 'metadata.namespace', options);
}

/** True for Services that no proxy handles: headless, without address yet, or ExternalName. */
export function isProxied(service: Service): boolean {
  const { clusterIP, type } = service.spec ?? {};
  return clusterIP !== undefined && clusterIP !== '' && clusterIP !== 'None' && type !== 'ExternalName';
}

function clusterIPOf(service: Service, family: Family, { onInvalid }: ServicePortOptions): string | undefined {
  if (!isProxied(service)) return undefined;
  const { clusterIP = '', clusterIPs = [], ipFamilies = [] } = service.spec ?? {};
  for (const name of ipFamilies) if (!FAMILY_NAMES.includes(name)) onInvalid?.('spec.ipFamilies', name, FAMILY_NAMES);
  const isOld = ipFamilies.length === 0;
  const text = isOld ? clusterIP : clusterIPs[ipFamilies.indexOf(family === 'ipv4' ? 'IPv4' : 'IPv6')];
  if (text === undefined) return undefined;
  const actual = familyOf(text);
  if (actual === family) return canonicalAddress(text);
  if (actual === undefined || !isOld) onInvalid?.(isOld ? 'spec.clusterIP' : 'spec.clusterIPs', text);
  return undefined;
}

type Shared = Omit<
  ServicePort,
  'key' | 'portName' | 'text' | 'protocol' | 'port' | 'nodePort' | 'clusterIP' | 'family'
> & {
  readonly isExternalKind: boolean;
};

function buildShared(service: Service, family: Family, options: ServicePortOptions): Shared {
  const { metadata, spec = {} } = service;
  const externalIPs = addressesOf(spec.externalIPs ?? [], family, (value) =>
    options.onInvalid?.('spec.externalIPs', value),
  );
  const type = spec.type ?? 'ClusterIP';
  const isExternalKind =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
  const externalPolicyLocal = isExternalKind && spec.externalTrafficPolicy === 'Local';
  const internalPolicyLocal = spec.internalTrafficPolicy === 'Local';
  const annotations = metadata?.annotations ?? {};
  const word = <T extends string>(annotation: string, known: readonly T[]): T | undefined =>
    readWord(annotations, { annotation, known, ...options });
  return {
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    externalIPs,
    loadBalancerVIPs: vipsOf(service, family, options),
    loadBalancerSourceRanges: rangesOf(spec.loadBalancerSourceRanges ?? [], family, options),
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? affinityOf(service, options) : 0,
    externalPolicyLocal,
    internalPolicyLocal,
    healthCheckNodePort:
      type === 'LoadBalancer' && externalPolicyLocal
        ? portOrNone(spec.healthCheckNodePort, 'spec.healthCheckNodePort', options)
        : 0,
    hintsAnnotation: hintsAnnotationOf(annotations),
    balancing: word(BALANCING_ANNOTATION, BALANCINGS),
    ...(word(PROXY_PROTOCOL_ANNOTATION, ['v2']) ? { proxyProtocol: true } : {}),
    ...(word(CLIENT_ADDRESS_ANNOTATION, ['preserve']) ? { preservesClient: true } : {}),
    isExternalKind,
    externallyAccessible: false,
    usesClusterEndpoints: false,
    usesLocalEndpoints: false,
  };
}

function affinityOf({ spec }: Service, { onInvalid }: ServicePortOptions): number {
  const seconds = spec?.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_DEFAULT_SECONDS;
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= AFFINITY_MAX_SECONDS) return seconds;
  onInvalid?.('spec.sessionAffinityConfig.clientIP.timeoutSeconds', String(seconds));
  return AFFINITY_DEFAULT_SECONDS;
}

// 0 stands for none.
function portOrNone(port: number | undefined, field: string, { onInvalid }: ServicePortOptions): number {
  if (isPort(port)) return port;
  if (port !== undefined && port !== 0) onInvalid?.(field, String(port));
  return 0;
}

function buildPort(
  shared: Shared & { readonly clusterIP: string; readonly family: Family; readonly index: number },
  spec: ServicePortSpec,
  options: ServicePortOptions,
): ServicePort | undefined {
  const { isExternalKind: _, index, ...facts } = shared;
  const protocol = protocolOf(spec.protocol);
  if (protocol === undefined || !isPort(spec.port)) {
    options.onInvalid?.('spec.ports', `${spec.port}/${spec.protocol}`);
    return undefined;
  }
  const nodePort = portOrNone(spec.nodePort, `spec.ports[${index}].nodePort`, options);
  const portName = spec.name ?? '';
  const externallyAccessible = nodePort !== 0 || facts.loadBalancerVIPs.length > 0 || facts.externalIPs.length > 0;
  return {
    ...facts,
    key: servicePortKey(facts, portName, protocol),
    portName,
    text: servicePortText(facts, portName),
    protocol,
    port: spec.port,
    nodePort,
    externallyAccessible,
    usesClusterEndpoints: !facts.internalPolicyLocal || externallyAccessible,
    usesLocalEndpoints: facts.internalPolicyLocal || (facts.externalPolicyLocal && externallyAccessible),
  };
}

function addressesOf(texts: readonly string[], family: Family, onInvalid: (value: string) => void): string[] {
  return texts.flatMap((text) => {
    const address = canonicalAddress(text);
    if (address === undefined && text.trim() !== '') onInvalid(text);
    return address !== undefined && familyOf(address) === family ? [address] : [];
  });
}

function vipsOf(service: Service, family: Family, options: ServicePortOptions): string[] {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const ips = ingress
    .filter(({ ip, ipMode }) => ip && (!options.loadBalancerIPMode || ipMode === undefined || ipMode === 'VIP'))
    .map(({ ip = '' }) => ip);
  return addressesOf(ips, family, (value) => options.onInvalid?.('status.loadBalancer.ingress', value));
}

function rangesOf(texts: readonly string[], family: Family, options: ServicePortOptions): string[] {
  return texts.flatMap((text) => {
    const trimmed = text.trim();
    const prefix = trimmed.includes('/') ? parsePrefix(trimmed) : undefined;
    if (prefix === undefined && trimmed !== '') options.onInvalid?.('spec.loadBalancerSourceRanges', text);
    return prefix?.family === family ? [printPrefix(prefix)] : [];
  });
}

// The older key wins, as in kube-proxy.
function hintsAnnotationOf(annotations: Readonly<Record<string, string>>): string {
  return (
    annotations['service.kubernetes.io/topology-aware-hints'] ??
    annotations['service.kubernetes.io/topology-mode'] ??
    ''
  );
}

interface Word<T> extends Pick<ServicePortOptions, 'onInvalid'> {
  readonly annotation: string;
  readonly known: readonly T[];
}

// One of a few words; anything else is skipped.
function readWord<T extends string>(
  annotations: Readonly<Record<string, string>>,
  { annotation, known, onInvalid }: Word<T>,
): T | undefined {
  const value = annotations[annotation];
  const found = known.find((word) => word === value);
  if (value !== undefined && found === undefined) onInvalid?.(`metadata.annotations[${annotation}]`, value, known);
  return found;
}
