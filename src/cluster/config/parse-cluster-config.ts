import { parseDocument } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import type { PortalRules } from '../../proxy/config/proxy-config.ts';
import {
  API_VERSION,
  BALANCINGS,
  type Balancing,
  type ClusterConfig,
  type IPFamily,
  MAX_NODES,
  NETWORK_DEFAULTS,
  type NodeConfig,
  PROXY_MODES,
  type ProxyMode,
  type UserspaceConfig,
} from './cluster-config.ts';
import { FieldReader } from './field-reader.ts';
import { readStoreConfig, type StoreEngine } from './store-config.ts';

/** What flags may say over the file; an absent one leaves the file's word or the default. */
export interface ConfigOverrides {
  readonly name?: string | undefined;
  readonly nodes?: number | undefined;
  readonly proxyMode?: ProxyMode | undefined;
  readonly balancing?: Balancing | undefined;
  readonly apiPort?: number | undefined;
  readonly cni?: 'ptp' | 'bridge' | undefined;
  readonly store?: StoreEngine | undefined;
}

const PORTAL_RULES = ['nftables', 'iptables', 'none'] as const satisfies readonly PortalRules[];
const FAMILIES = ['IPv4', 'IPv6'] as const satisfies readonly IPFamily[];
const NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;

/**
 * Reads a cluster.yaml (kind Cluster) and fills in every default. `file` names it in errors.
 * Throws UserError ERR_INVALID_CONFIG that names the field and what is known there.
 */
export function parseClusterConfig(text: string, file: string, overrides: ConfigOverrides = {}): ClusterConfig {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem)
    throw new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `${file}: ${problem.message}`,
      hint: 'the file must be one YAML document',
    });
  return buildConfig(new FieldReader(document.toJS() ?? {}, '', file), overrides);
}

/** The same from data that is there already, for the library. An empty object gives the default cluster. */
export function completeClusterConfig(value: unknown, overrides: ConfigOverrides = {}): ClusterConfig {
  return buildConfig(new FieldReader(value, '', 'cluster'), overrides);
}

function buildConfig(document: FieldReader, overrides: ConfigOverrides): ClusterConfig {
  const { apiVersion, kind, metadata, spec } = document.fields(['apiVersion', 'kind', 'metadata', 'spec']);
  apiVersion.oneOf([API_VERSION], API_VERSION);
  kind.oneOf(['Cluster'], 'Cluster');
  const fields = spec.fields(['nodes', 'network', 'proxy', 'dns', 'api', 'store']);
  const proxy = fields.proxy.fields(['mode', 'balancing', 'iptablesBackend', 'userspace']);
  const mode = overrides.proxyMode ?? proxy.mode.oneOf(PROXY_MODES, 'iptables');
  return {
    name: checkName(overrides.name ?? metadata.fields(['name']).name.string('towtank'), metadata),
    nodes: readNodes(fields.nodes, mode, overrides),
    network: readNetwork(fields.network, overrides),
    proxy: {
      balancing: overrides.balancing ?? proxy.balancing.oneOf(BALANCINGS, 'random'),
      iptablesBackend: proxy.iptablesBackend.oneOf(['auto', 'nft', 'legacy'], 'auto'),
      ...(isModeChosen(overrides, proxy.mode, fields.nodes) ? { isModeChosen: true } : {}),
      userspace: readUserspace(proxy.userspace),
    },
    dns: readDns(fields.dns),
    api: { port: overrides.apiPort ?? fields.api.fields(['port']).port.integer(0, 0, 65535) },
    store: readStoreConfig(fields.store, overrides.store),
  };
}

function isModeChosen({ proxyMode }: ConfigOverrides, mode: FieldReader, nodes: FieldReader): boolean {
  const asksForIt = (node: unknown): boolean =>
    (node as { readonly proxyMode?: unknown } | null)?.proxyMode !== undefined;
  return proxyMode !== undefined || !mode.absent || (Array.isArray(nodes.value) && nodes.value.some(asksForIt));
}

function readUserspace(field: FieldReader): UserspaceConfig | undefined {
  if (field.absent) return undefined;
  const given = field.fields(['portalRules', 'idleTimeout', 'udpIdleTimeout', 'drainTimeout']);
  const idleMs = given.idleTimeout.duration();
  const udpIdleMs = given.udpIdleTimeout.duration();
  const drainMs = given.drainTimeout.duration();
  if (udpIdleMs === 0) throw given.udpIdleTimeout.fail('must be longer: a flow would end with its first datagram');
  return {
    portalRules: given.portalRules.oneOf(PORTAL_RULES, 'nftables'),
    limits: {
      ...(idleMs === undefined ? {} : { idleMs }),
      ...(udpIdleMs === undefined ? {} : { udpIdleMs }),
      ...(drainMs === undefined ? {} : { drainMs }),
    },
  };
}

function checkName(name: string, field: FieldReader): string {
  if (NAME.test(name)) return name;
  throw field.fail(`the cluster name "${name}" must be 1 to 40 lower case letters, digits and '-', as a DNS label`);
}

function readDns(field: FieldReader): ClusterConfig['dns'] {
  const { replicas, domain, nodeLocalDNS } = field.fields(['replicas', 'domain', 'nodeLocalDNS']);
  const dns = {
    replicas: replicas.integer(2, 0, 10),
    domain: domain.string('cluster.local', checkDomain),
    nodeLocalDNS: nodeLocalDNS.flag(false),
  };
  if (dns.nodeLocalDNS && dns.replicas === 0) throw nodeLocalDNS.fail('needs spec.dns.replicas of at least 1');
  return dns;
}

function checkDomain(domain: string): string | undefined {
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(domain)
    ? undefined
    : 'must be a lower case DNS name such as cluster.local';
}

function readNodes(field: FieldReader, mode: ProxyMode, overrides: ConfigOverrides): readonly NodeConfig[] {
  if (overrides.nodes !== undefined || !Array.isArray(field.value)) {
    const count = (overrides.nodes === undefined ? field : field.with(overrides.nodes)).integer(3, 1, MAX_NODES);
    return Array.from({ length: count }, (_, index) => ({ name: `node-${index + 1}`, proxyMode: mode, labels: {} }));
  }
  const items = field.items();
  if (items.length === 0 || items.length > MAX_NODES) throw field.fail(`must name 1 to ${MAX_NODES} nodes`);
  const nodes = items.map((item, index) => readNode(item, `node-${index + 1}`, overrides.proxyMode, mode));
  nodes.forEach(({ name }, index) => {
    if (nodes.findIndex((other) => other.name === name) !== index)
      throw items[index]!.fail(`the name ${name} is used twice`);
  });
  return nodes;
}

function readNode(item: FieldReader, fallbackName: string, forced: ProxyMode | undefined, mode: ProxyMode): NodeConfig {
  const node = item.fields(['name', 'proxyMode', 'zone', 'labels']);
  return {
    name: node.name.string(fallbackName, (name) =>
      NAME.test(name) && name !== 'client' ? undefined : 'must be a DNS label of at most 40 characters, not "client"',
    ),
    proxyMode: forced ?? node.proxyMode.oneOf(PROXY_MODES, mode),
    zone: node.zone.absent ? undefined : node.zone.string(''),
    labels: node.labels.labels(),
  };
}

function readNetwork(field: FieldReader, overrides: ConfigOverrides): ClusterConfig['network'] {
  const network = field.fields(['cni', 'ipFamilies', 'nodeCIDRs', 'podCIDRs', 'serviceCIDRs', 'loadBalancerCIDRs']);
  const families = network.ipFamilies.absent
    ? NETWORK_DEFAULTS.ipFamilies
    : network.ipFamilies.items().map((item) => item.oneOf(FAMILIES, 'IPv4'));
  if (families.length === 0 || new Set(families).size !== families.length)
    throw network.ipFamilies.fail('must be IPv4, IPv6 or both, each once');
  const ranges = (name: 'nodeCIDRs' | 'podCIDRs' | 'serviceCIDRs' | 'loadBalancerCIDRs'): Record<IPFamily, string> => {
    const byFamily = network[name].fields(FAMILIES);
    const defaults = NETWORK_DEFAULTS[name];
    return {
      IPv4: byFamily.IPv4.string(defaults.IPv4, checkCidr(4)),
      IPv6: byFamily.IPv6.string(defaults.IPv6, checkCidr(6)),
    };
  };
  return {
    cni: overrides.cni ?? network.cni.oneOf(['ptp', 'bridge'], NETWORK_DEFAULTS.cni),
    ipFamilies: families,
    nodeCIDRs: ranges('nodeCIDRs'),
    podCIDRs: ranges('podCIDRs'),
    serviceCIDRs: ranges('serviceCIDRs'),
    loadBalancerCIDRs: ranges('loadBalancerCIDRs'),
  };
}

const checkCidr =
  (family: 4 | 6) =>
  (text: string): string | undefined => {
    const [address = '', length = ''] = text.split('/');
    const bits = family === 4 ? 32 : 128;
    const wellFormed = /^\d{1,3}$/.test(length) && Number(length) <= bits && address.includes(':') === (family === 6);
    return wellFormed && /^[0-9a-fA-F:.]+$/.test(address)
      ? undefined
      : `must be an IPv${family} CIDR such as ${family === 4 ? '10.244.0.0/16' : 'fd00:10:244::/56'}`;
  };
