import type { Pod } from '../../kube/generated/types.ts';

const MAX_HOSTNAME_LENGTH = 63;

/** What a pod calls itself. */
export interface PodHostname {
  /** What gethostname() answers: the short name, or the whole one with setHostnameAsFQDN. */
  readonly hostname: string;
  /** The short name, at most 63 characters. */
  readonly shortName: string;
  /** `subdomain.namespace.svc.DOMAIN`, or '' for a pod without a subdomain. */
  readonly domain: string;
}

/** The names of a pod by its hostname, subdomain and setHostnameAsFQDN, or of its node on the host network. */
export function podHostname(pod: Pod, nodeName: string, clusterDomain: string): PodHostname {
  const { hostname, hostnameOverride, subdomain, setHostnameAsFQDN, hostNetwork } = pod.spec ?? {};
  if (hostnameOverride) return { hostname: hostnameOverride, shortName: hostnameOverride, domain: '' };
  if (hostNetwork === true) return { hostname: nodeName, shortName: nodeName, domain: '' };
  const shortName = hostname || truncate(pod.metadata?.name ?? '');
  const domain = subdomain ? `${subdomain}.${pod.metadata?.namespace ?? ''}.svc.${clusterDomain}` : '';
  return { hostname: setHostnameAsFQDN && domain ? `${shortName}.${domain}` : shortName, shortName, domain };
}

// A pod's name may be longer than a hostname may be, and a cut one may not end in '-' or '.'.
function truncate(name: string): string {
  return name.length <= MAX_HOSTNAME_LENGTH ? name : name.slice(0, MAX_HOSTNAME_LENGTH).replace(/[-.]+$/, '');
}
