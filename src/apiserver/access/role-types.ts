import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';

const GROUP = 'rbac.authorization.k8s.io';
const define = <T extends KubeObject>(resource: string, kind: string, namespaced: boolean): ResourceType<T> => ({
  group: GROUP,
  version: 'v1',
  resource,
  kind,
  namespaced,
});

/** The kinds of RBAC. */
export const rbac = {
  clusterRoles: define<ClusterRole>('clusterroles', 'ClusterRole', false),
  clusterRoleBindings: define<ClusterRoleBinding>('clusterrolebindings', 'ClusterRoleBinding', false),
  roles: define<Role>('roles', 'Role', true),
  roleBindings: define<RoleBinding>('rolebindings', 'RoleBinding', true),
} as const;

/** Prefix of all their keys in the store. */
export const RBAC_PREFIX = `/registry/${GROUP}/`;
