import type { PolicyRule, Subject } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import type { BootstrapObject } from '../bootstrap/bootstrap-objects.ts';
import policy from './generated/bootstrap-policy.json' with { type: 'json' };
import { rbac } from './role-types.ts';

const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' } as const;
const ANNOTATIONS = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' } as const;
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';
const API_GROUP = 'rbac.authorization.k8s.io';

/** The roles and bindings that every cluster starts with. */
export function bootstrapPolicy(): BootstrapObject[] {
  return [
    ...policy.clusterRoles.map((role) => ({ type: rbac.clusterRoles, object: clusterRole(role) })),
    ...policy.clusterRoleBindings.map(({ name, role, subjects }) => ({
      type: rbac.clusterRoleBindings,
      object: binding({ name }, { kind: 'ClusterRole', name: role }, subjects),
    })),
    ...policy.roles.map(({ namespace, name, rules }) => ({
      type: rbac.roles,
      object: { metadata: metadata({ name, namespace }), rules: rules.map(parseRule) } as KubeObject,
    })),
    ...policy.roleBindings.map(({ namespace, name, roleKind, role, subjects }) => ({
      type: rbac.roleBindings,
      object: binding({ name, namespace }, { kind: roleKind, name: role }, subjects),
    })),
  ];
}

interface Names {
  readonly name: string;
  readonly namespace?: string;
}

const metadata = (names: Names) => ({ ...names, labels: LABELS, annotations: ANNOTATIONS });

function clusterRole(role: (typeof policy.clusterRoles)[number]): KubeObject {
  const { name, aggregates, aggregateTo, rules } = role;
  const labels = aggregateTo ? { ...LABELS, [AGGREGATE + aggregateTo]: 'true' } : LABELS;
  return {
    metadata: { ...metadata({ name }), labels },
    ...(aggregates === undefined
      ? {}
      : { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [AGGREGATE + aggregates]: 'true' } }] } }),
    rules: (rules ?? []).map(parseRule),
  } as KubeObject;
}

function binding(
  names: Names,
  role: { readonly kind: string; readonly name: string },
  subjects: readonly string[],
): KubeObject {
  return {
    metadata: metadata(names),
    roleRef: { apiGroup: API_GROUP, ...role },
    ...(subjects.length > 0 ? { subjects: subjects.map(parseSubject) } : {}),
  } as KubeObject;
}

// `get,list;.,apps;pods,deployments;names;urls`: see scripts/derive-bootstrap-policy.ts.
function parseRule(text: string): PolicyRule {
  const [verbs = '', groups = '', resources = '', names = '', urls = ''] = text.split(';');
  const list = (part: string): string[] => part.split(',');
  return {
    ...(groups === '' ? {} : { apiGroups: list(groups).map((group) => (group === '.' ? '' : group)) }),
    ...(urls === '' ? {} : { nonResourceURLs: list(urls) }),
    ...(names === '' ? {} : { resourceNames: list(names) }),
    ...(resources === '' ? {} : { resources: list(resources) }),
    verbs: list(verbs),
  };
}

function parseSubject(text: string): Subject {
  const [kind = '', name = '', namespace] = text.split(' ');
  if (kind === 'ServiceAccount') return { kind, name, namespace };
  return { apiGroup: API_GROUP, kind, name };
}
