import type { ResourceType } from '../../kube/resources.ts';
import type { ServiceClaim } from '../../kube/service-allocator.ts';

/** `/registry/apps/deployments/`; the core group is `core`. */
export function prefixOf(type: Pick<ResourceType, 'group' | 'resource'>): string {
  return `/registry/${type.group === '' ? 'core' : type.group}/${type.resource}/`;
}

/** Key of one object: prefix, namespace when it has one, name. */
export function objectKey(prefix: string, namespace: string | undefined, name: string): string {
  return namespace === undefined ? prefix + name : `${prefix}${namespace}/${name}`;
}

/** Prefix of a whole kind or of one namespace of it. */
export function listPrefix(prefix: string, namespace: string | undefined): string {
  return namespace === undefined ? prefix : `${prefix}${namespace}/`;
}

/** Key under which a node port is held; cluster IPs are held by their IPAddress objects. */
export function nodePortKey(claim: Extract<ServiceClaim, { type: 'nodePort' }>): string {
  return `/ranges/nodeports/${claim.protocol}/${claim.port}`;
}
