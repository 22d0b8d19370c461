import type { ServicePort } from '../facts/service-port.ts';
import { hash16 } from '../iptables/chain-names.ts';

/** The table that kube-proxy owns in each family. */
export const TABLE = 'kube-proxy';

/** Regular chains that all Services share. */
export const SERVICES = 'services';
export const MARK_FOR_MASQUERADE = 'mark-for-masquerade';
export const MASQUERADING = 'masquerading';
export const SERVICE_ENDPOINTS_CHECK = 'service-endpoints-check';
export const NODEPORT_ENDPOINTS_CHECK = 'nodeport-endpoints-check';
export const FIREWALL_CHECK = 'firewall-check';
export const CLUSTER_IPS_CHECK = 'cluster-ips-check';
export const REJECT_CHAIN = 'reject-chain';

/** Objects of one ServicePort. */
export interface ServiceObjects {
  /** Chain with the endpoints of policy Cluster. */
  readonly cluster: string;
  /** Chain with the endpoints of policy Local. */
  readonly local: string;
  /** Chain for traffic to node port, external IP and load balancer address. */
  readonly external: string;
  /** Chain with the source ranges. */
  readonly firewall: string;
}

/** Chain names of a ServicePort, as kube-proxy spells them. */
export function serviceObjects(port: ServicePort): ServiceObjects {
  const base = hashed(basePath(port));
  return {
    cluster: `service-${base}`,
    local: `local-${base}`,
    external: `external-${base}`,
    firewall: `firewall-${base}`,
  };
}

/** Chain and affinity set of one endpoint; only ServicePorts with session affinity have them. */
export function endpointObjects(
  port: ServicePort,
  endpoint: { readonly ip: string; readonly port: number },
): { readonly chain: string; readonly affinitySet: string } {
  // nft reads no colons in names.
  const base = hashed(`${basePath(port)}__${endpoint.ip.replaceAll(':', '.')}/${endpoint.port}`);
  return { chain: `endpoint-${base}`, affinitySet: `affinity-${base}` };
}

function basePath(port: ServicePort): string {
  return `${port.namespace}/${port.name}/${port.protocol}/${port.portName}`;
}

const maxBaseLength = 240;

function hashed(path: string): string {
  const name = `${hash16(path).slice(0, 8)}-${path}`;
  return name.length <= maxBaseLength ? name : `${name.slice(0, maxBaseLength - 3)}...`;
}
