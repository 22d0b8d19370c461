import type { PolicyRule, RoleRef, Subject } from '../../kube/generated/types.ts';
import type { ApiObject } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { dns1123Subdomain, pathSegment } from './names.ts';

const RBAC = 'rbac.authorization.k8s.io';

interface RoleObject extends ApiObject {
  readonly rules?: readonly PolicyRule[];
}

interface BindingObject extends ApiObject {
  readonly roleRef?: RoleRef;
  readonly subjects?: readonly Subject[];
}

/** What is wrong with a Role or ClusterRole. */
export function validateRole(role: RoleObject, isNamespaced: boolean): FieldCause[] {
  return (role.rules ?? []).flatMap((rule, i) => validateRule(rule, `rules[${i}]`, isNamespaced));
}

function validateRule(rule: PolicyRule, path: string, isNamespaced: boolean): FieldCause[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs: urls = [] } = rule;
  const causes = verbs?.length ? [] : [required(`${path}.verbs`, 'verbs must contain at least one value')];
  if (urls.length > 0) {
    const isMixed = apiGroups.length + resources.length + resourceNames.length > 0;
    const at = `${path}.nonResourceURLs`;
    if (isNamespaced) causes.push(invalid(at, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if (isMixed) causes.push(invalid(at, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    return causes;
  }
  if (apiGroups.length === 0)
    causes.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    causes.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  return causes;
}

/** What is wrong with a RoleBinding or ClusterRoleBinding. */
export function validateBinding({ roleRef, subjects = [] }: BindingObject, isNamespaced: boolean): FieldCause[] {
  const { apiGroup, kind = '', name = '' } = roleRef ?? ({} as Partial<RoleRef>);
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const causes: FieldCause[] = [];
  if (apiGroup !== RBAC) causes.push(notSupported('roleRef.apiGroup', apiGroup ?? '', [RBAC]));
  if (!kinds.includes(kind)) causes.push(notSupported('roleRef.kind', kind, kinds));
  if (name === '') causes.push(required('roleRef.name'));
  else causes.push(...invalidEach('roleRef.name', name, pathSegment(name)));
  return [...causes, ...subjects.flatMap((subject, i) => validateSubject(subject, `subjects[${i}]`, isNamespaced))];
}

function validateSubject(subject: Subject, path: string, isNamespaced: boolean): FieldCause[] {
  const { kind, name = '', namespace = '', apiGroup = '' } = subject;
  const causes = name === '' ? [required(`${path}.name`)] : [];
  const group = kind === 'ServiceAccount' ? '' : RBAC;
  if (!['ServiceAccount', 'User', 'Group'].includes(kind))
    return [...causes, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  if (kind === 'ServiceAccount' && name !== '')
    causes.push(...invalidEach(`${path}.name`, name, dns1123Subdomain(name)));
  if (apiGroup !== group) causes.push(notSupported(`${path}.apiGroup`, apiGroup, [group]));
  if (kind === 'ServiceAccount' && !isNamespaced && namespace === '') causes.push(required(`${path}.namespace`));
  return causes;
}
