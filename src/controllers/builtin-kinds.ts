import { type ResourceType, resources } from '../kube/resources.ts';
import type { ServedKinds } from './config.ts';

// Namespaced built-in kinds that no controller of ours reads, but that a namespace may hold and an owner may own.
const OTHERS: readonly (readonly [group: string, version: string, resource: string, kind: string])[] = [
  ['', 'v1', 'limitranges', 'LimitRange'],
  ['', 'v1', 'podtemplates', 'PodTemplate'],
  ['', 'v1', 'replicationcontrollers', 'ReplicationController'],
  ['', 'v1', 'resourcequotas', 'ResourceQuota'],
  ['autoscaling', 'v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler'],
  ['rbac.authorization.k8s.io', 'v1', 'roles', 'Role'],
  ['rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding'],
];

/** The built-in kinds of which a namespace can be full or that can have owners: for API servers that serve nothing else. */
export const builtinKinds: ServedKinds = {
  list: () => [
    ...Object.values(resources),
    ...OTHERS.map(
      ([group, version, resource, kind]): ResourceType => ({ group, version, resource, kind, namespaced: true }),
    ),
  ],
  onChange: () => ({ [Symbol.dispose]: () => {} }),
};
