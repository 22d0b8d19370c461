import type { HostAlias } from '../../kube/generated/types.ts';

export interface HostsFileOptions {
  readonly podIPs: readonly string[];
  readonly hostname: string;
  /** `subdomain.namespace.svc.cluster.local` of a pod with a subdomain, '' otherwise. */
  readonly hostDomain: string;
  readonly hostAliases: readonly HostAlias[];
}

const LOCAL_ENTRIES = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
`;

/** Text of /etc/hosts of a pod with its own network, byte for byte what the kubelet writes. */
export function buildHostsFile({ podIPs, hostname, hostDomain, hostAliases }: HostsFileOptions): string {
  const names = hostDomain === '' ? hostname : `${hostname}.${hostDomain}\t${hostname}`;
  const own = podIPs.map((ip) => `${ip}\t${names}\n`).join('');
  return `# Kubernetes-managed hosts file.\n${LOCAL_ENTRIES}${own}${aliasEntries(hostAliases)}`;
}

/** Text of /etc/hosts of a pod on the host network: the node's own file and the pod's aliases. */
export function buildHostNetworkHostsFile(nodeHosts: string, hostAliases: readonly HostAlias[]): string {
  return `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${aliasEntries(hostAliases)}`;
}

function aliasEntries(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return '';
  const entries = aliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`).join('');
  return `\n# Entries added by HostAliases.\n${entries}`;
}
