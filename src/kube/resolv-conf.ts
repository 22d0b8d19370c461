import { UserError } from '../errors/towtank-error.ts';
import type { Pod, PodDNSConfig } from './generated/types.ts';

/** What a kubelet knows of DNS: its own configuration and the node's resolver file. */
export interface NodeDns {
  /** Addresses of the cluster DNS Service; empty when the kubelet was given none. */
  readonly clusterDNS: readonly string[];
  /** For example `cluster.local`; '' leaves only the host's search paths. */
  readonly clusterDomain: string;
  /** Text of the node's resolver file; null stands for kubelet's `--resolv-conf ""`. */
  readonly hostResolvConf: string | null;
  readonly nodeIPs?: readonly string[];
}

/** An event as the kubelet records it, always of type Warning. */
export interface ResolvConfEvent {
  readonly involved: 'pod' | 'node';
  readonly reason: 'DNSConfigForming' | 'MissingClusterDNS';
  readonly message: string;
}

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const MAX_NAMESERVERS = 3;
const MAX_SEARCH_PATHS = 32;
const MAX_SEARCH_CHARACTERS = 2048;
// glibc before 2.29 aborts on longer ones, so the kubelet drops them.
const MAX_SEARCH_PATH_LENGTH = 253;

/**
 * Builds the resolver configuration of a pod by dnsPolicy and dnsConfig with the limits and the event texts of the kubelet.
 * Throws ERR_INVALID_CONFIG when the node's own file is needed and has a `nameserver` line without an address.
 */
export function buildResolvConf(
  pod: Pod,
  node: NodeDns,
): { readonly conf: ResolvConf; readonly events: readonly ResolvConfEvent[] } {
  const events: ResolvConfEvent[] = [];
  const base = baseConf(pod, node, events);
  const merged = pod.spec?.dnsConfig ? mergeDnsConfig(base, pod.spec.dnsConfig) : base;
  const nameservers = limitNameservers(merged.nameservers, events);
  const search = limitSearch(merged.search, events);
  return { conf: { nameservers, search, options: merged.options }, events };
}

/** Prints it as the file that container runtimes write to /etc/resolv.conf. */
export function printResolvConf(conf: ResolvConf): string {
  const search = conf.search.length > 0 ? `search ${conf.search.join(' ')}\n` : '';
  const options = conf.options.length > 0 ? `options ${conf.options.join(' ')}\n` : '';
  return search + conf.nameservers.map((address) => `nameserver ${address}\n`).join('') + options;
}

/** Reads a resolver file as the kubelet does: the last `search` and the last `options` line win, final dots are dropped. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const values = fields.slice(1);
    if (fields[0] === 'nameserver') nameservers.push(values[0] ?? refuseNameserver());
    else if (fields[0] === 'search')
      search = values.map((path) => (path.length > 1 && path.endsWith('.') ? path.slice(0, -1) : path));
    else if (fields[0] === 'options') options = values;
  }
  return { nameservers, search, options };
}

function refuseNameserver(): never {
  throw new UserError({
    code: 'ERR_INVALID_CONFIG',
    message: 'nameserver list is empty',
    hint: "Give every `nameserver` line of the node's resolv.conf an address.",
  });
}

function baseConf(pod: Pod, node: NodeDns, events: ResolvConfEvent[]): ResolvConf {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], search: [], options: [] };
  const host = node.hostResolvConf === null ? undefined : parseResolvConf(node.hostResolvConf);
  const wantsCluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec?.hostNetwork !== true);
  if (wantsCluster && node.clusterDNS.length > 0) {
    const search = clusterSearch(pod.metadata?.namespace ?? 'default', node.clusterDomain);
    return { nameservers: node.clusterDNS, search: unique([...search, ...(host?.search ?? [])]), options: ['ndots:5'] };
  }
  if (wantsCluster) events.push(...missingClusterDns(pod));
  return host ?? { nameservers: loopbackNameservers(node.nodeIPs ?? []), search: ['.'], options: [] };
}

function clusterSearch(namespace: string, domain: string): readonly string[] {
  return domain === '' ? [] : [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
}

function loopbackNameservers(nodeIPs: readonly string[]): readonly string[] {
  return nodeIPs.length === 0 ? ['127.0.0.1'] : nodeIPs.map((ip) => (ip.includes(':') ? '::1' : '127.0.0.1'));
}

function missingClusterDns(pod: Pod): readonly ResolvConfEvent[] {
  const { name, namespace, uid } = pod.metadata ?? {};
  const message =
    'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. ' +
    'Falling back to "Default" policy.';
  const reason = 'MissingClusterDNS';
  return [
    { involved: 'node', reason, message },
    { involved: 'pod', reason, message: `pod: "${name ?? ''}_${namespace ?? ''}(${uid ?? ''})". ${message}` },
  ];
}

function mergeDnsConfig(base: ResolvConf, config: PodDNSConfig): ResolvConf {
  const options = new Map<string, string>();
  for (const option of base.options) {
    const colon = option.indexOf(':');
    options.set(colon === -1 ? option : option.slice(0, colon), colon === -1 ? '' : option.slice(colon + 1));
  }
  for (const { name, value } of config.options ?? []) options.set(name ?? '', value ?? '');
  return {
    nameservers: unique([...base.nameservers, ...(config.nameservers ?? [])]),
    search: unique([...base.search, ...(config.searches ?? [])]),
    options: [...options].map(([name, value]) => (value === '' ? name : `${name}:${value}`)),
  };
}

function limitNameservers(nameservers: readonly string[], events: ResolvConfEvent[]): readonly string[] {
  if (nameservers.length <= MAX_NAMESERVERS) return nameservers;
  const applied = nameservers.slice(0, MAX_NAMESERVERS);
  const message =
    'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ';
  events.push({ involved: 'pod', reason: 'DNSConfigForming', message: message + applied.join(' ') });
  return applied;
}

function limitSearch(search: readonly string[], events: ResolvConfEvent[]): readonly string[] {
  const applied = search.slice(0, MAX_SEARCH_PATHS).filter((path) => path.length <= MAX_SEARCH_PATH_LENGTH);
  while (applied.join(' ').length > MAX_SEARCH_CHARACTERS) applied.pop();
  if (applied.length === search.length) return search;
  const message = 'Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ';
  events.push({ involved: 'pod', reason: 'DNSConfigForming', message: message + applied.join(' ') });
  return applied;
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
