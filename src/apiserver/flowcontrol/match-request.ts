import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  ResourcePolicyRule,
} from '../../kube/generated/types.ts';
import type { RequestInfo, ResourceRequestInfo } from '../http/request-info.ts';
import type { Caller } from '../machinery/strategy.ts';

/** The rules of a flow schema for one caller: those with a subject that he is. */
export interface CallerRules {
  readonly resources: readonly ResourcePolicyRule[];
  readonly paths: readonly NonResourcePolicyRule[];
}

/** Of a flow schema what may concern this caller. */
export function rulesFor({ spec }: FlowSchema, caller: Caller): CallerRules {
  const rules = (spec?.rules ?? []).filter(({ subjects }) => subjects.some((subject) => isSubject(caller, subject)));
  return {
    resources: rules.flatMap(({ resourceRules = [] }) => resourceRules),
    paths: rules.flatMap(({ nonResourceRules = [] }) => nonResourceRules),
  };
}

function isSubject({ name, groups }: Caller, { kind, user, group, serviceAccount }: FlowcontrolSubject): boolean {
  if (kind === 'User') return user?.name === '*' || user?.name === name;
  if (kind === 'Group') return group?.name === '*' || (group !== undefined && groups.includes(group.name));
  if (kind !== 'ServiceAccount' || !serviceAccount) return false;
  const start = `system:serviceaccount:${serviceAccount.namespace}:`;
  return serviceAccount.name === '*' ? name.startsWith(start) : name === start + serviceAccount.name;
}

const isAll = (list: readonly string[] | undefined): boolean => list?.length === 1 && list[0] === '*';

/** True for rules that match every request of this sort. */
export function matchesEveryResource({ resources }: CallerRules): boolean {
  return resources.some(
    (rule) =>
      isAll(rule.verbs) &&
      isAll(rule.apiGroups) &&
      isAll(rule.resources) &&
      isAll(rule.namespaces) &&
      rule.clusterScope === true,
  );
}

/** The same for paths that are no resources. */
export function matchesEveryPath({ paths }: CallerRules): boolean {
  return paths.some(({ verbs, nonResourceURLs }) => isAll(verbs) && isAll(nonResourceURLs));
}

/** Whether one of the rules is about this request. */
export function matchesRequest(rules: CallerRules, info: RequestInfo): boolean {
  if (info.type === 'resource') return rules.resources.some((rule) => matchesResource(rule, info));
  return rules.paths.some(({ verbs, nonResourceURLs }) => {
    return has(verbs, pathVerbs[info.verb] ?? info.verb) && nonResourceURLs.some((url) => matchesUrl(url, info.path));
  });
}

// Of a path the verb is the method.
const pathVerbs: Readonly<Record<string, string>> = { create: 'post', update: 'put' };

function matchesResource(rule: ResourcePolicyRule, info: ResourceRequestInfo): boolean {
  const { verb, resource, subresource, group, namespace = '' } = info;
  return (
    has(rule.verbs, verb === 'head' ? 'get' : verb) &&
    has(rule.resources, subresource === '' ? resource : `${resource}/${subresource}`) &&
    has(rule.apiGroups, group) &&
    (namespace === '' ? rule.clusterScope === true : has(rule.namespaces, namespace))
  );
}

function has(list: readonly string[] | undefined, wanted: string): boolean {
  return list !== undefined && (isAll(list) || list.includes(wanted));
}

function matchesUrl(url: string, path: string): boolean {
  if (url === '*' || url === path) return true;
  const prefix = url.endsWith('*') ? url.slice(0, -1) : url;
  return path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`);
}
