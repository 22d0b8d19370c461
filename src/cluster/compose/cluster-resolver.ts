import type { ClusterResolver } from '../../kernel/resolver-file.ts';
import type { AddressPlan } from '../config/address-plan.ts';
import type { ClusterConfig } from '../config/cluster-config.ts';

/** What programs outside of pods resolve names of the cluster with, as pods of namespace default do. */
export function resolverOf(
  { config }: { readonly config: ClusterConfig },
  { clusterDNS }: Pick<AddressPlan, 'clusterDNS'>,
): ClusterResolver {
  const { domain } = config.dns;
  return { nameservers: clusterDNS, search: [`default.svc.${domain}`, `svc.${domain}`, domain] };
}
