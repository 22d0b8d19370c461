import type {
  FlowcontrolSubject,
  FlowSchema,
  FlowSchemaCondition,
  FlowSchemaSpec,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from '../../kube/generated/types.ts';
import { mandatoryFlowSchemas } from '../flowcontrol/bootstrap-configuration.ts';
import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { duplicate, forbidden, invalid, invalidEach, notSupported, required } from './field-errors.ts';
import { dns1123Label, dns1123Subdomain } from './names.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const MAX_PRECEDENCE = 10_000;

/** What is wrong with a FlowSchema. */
export function validateFlowSchema(schema: FlowSchema): FieldCause[] {
  const name = schema.metadata?.name ?? '';
  const spec = schema.spec ?? ({} as Partial<FlowSchemaSpec>);
  const causes = validateSpec(name, spec);
  const fixed = mandatoryFlowSchemas.find(({ metadata }) => metadata?.name === name);
  if (fixed && !sameValue(spec, fixed.spec)) {
    causes.push(invalid('spec', goSpec(spec), `spec of '${name}' must equal the fixed value`));
  }
  return [...causes, ...validateConditions(schema)];
}

/** What is wrong with the conditions of a FlowSchema or a PriorityLevelConfiguration. */
export function validateConditions({ status }: { readonly status?: FlowSchema['status'] }): FieldCause[] {
  const seen = new Set<string>();
  return (status?.conditions ?? []).flatMap(({ type = '' }: FlowSchemaCondition, i) => {
    const path = `status.conditions[${i}].type`;
    const causes = seen.has(type) ? [duplicate(path, type)] : [];
    seen.add(type);
    return type === '' ? [...causes, required(path)] : causes;
  });
}

function validateSpec(name: string, spec: Partial<FlowSchemaSpec>): FieldCause[] {
  const { matchingPrecedence = 0, distinguisherMethod, rules = [] } = spec;
  const level = spec.priorityLevelConfiguration?.name ?? '';
  const path = 'spec.matchingPrecedence';
  const levelPath = 'spec.priorityLevelConfiguration.name';
  const causes: FieldCause[] = [];
  const wrong = (detail: string): void => void causes.push(invalid(path, matchingPrecedence, detail));
  if (matchingPrecedence <= 0) wrong('must be a positive value');
  if (matchingPrecedence > MAX_PRECEDENCE) wrong(`must not be greater than ${MAX_PRECEDENCE}`);
  if (matchingPrecedence === 1 && name !== 'exempt')
    wrong("only the schema named 'exempt' may have matchingPrecedence 1");
  const type = distinguisherMethod?.type ?? '';
  if (distinguisherMethod && type !== 'ByUser' && type !== 'ByNamespace') {
    causes.push(notSupported('spec.distinguisherMethod.type', { Type: type }, ['ByNamespace', 'ByUser']));
  }
  if (level === '') causes.push(required(levelPath, 'must reference a priority level'));
  else causes.push(...invalidEach(levelPath, level, dns1123Subdomain(level)));
  return [...causes, ...rules.flatMap((rule, i) => validateRules(rule, `spec.rules[${i}]`))];
}

function validateRules(rule: PolicyRulesWithSubjects, path: string): FieldCause[] {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  const causes = subjects.flatMap((subject, i) => validateSubject(subject, `${path}.subjects[${i}]`));
  if (subjects.length === 0) causes.push(required(`${path}.subjects`, 'subjects must contain at least one value'));
  if (resourceRules.length + nonResourceRules.length === 0) {
    causes.push(required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  return [
    ...causes,
    ...resourceRules.flatMap((inner, i) => validateResourceRule(inner, `${path}.resourceRules[${i}]`)),
    ...nonResourceRules.flatMap((inner, i) => validateNonResourceRule(inner, `${path}.nonResourceRules[${i}]`)),
  ];
}

const kinds = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;

function validateSubject(subject: FlowcontrolSubject, path: string): FieldCause[] {
  const { kind } = subject;
  if (!Object.hasOwn(kinds, kind)) return [notSupported(`${path}.kind`, kind, Object.keys(kinds).sort())];
  const field = kinds[kind as keyof typeof kinds];
  const given = subject[field];
  const causes = given
    ? validateSubjectNames(subject, kind, `${path}.${field}`)
    : [required(`${path}.${field}`, `${field} is required when subject kind is '${kind}'`)];
  for (const [other, name] of Object.entries(kinds)) {
    if (name === field || !subject[name]) continue;
    causes.push(forbidden(`${path}.${name}`, `${name} is forbidden when subject kind is not '${other}'`));
  }
  return causes;
}

function validateSubjectNames(subject: FlowcontrolSubject, kind: string, path: string): FieldCause[] {
  if (kind !== 'ServiceAccount') {
    const name = (kind === 'User' ? subject.user : subject.group)?.name ?? '';
    return name === '' ? [required(`${path}.name`)] : [];
  }
  const { name = '', namespace = '' } = subject.serviceAccount ?? {};
  const causes = name === '' ? [required(`${path}.name`)] : [];
  if (name !== '' && name !== '*') causes.push(...invalidEach(`${path}.name`, name, dns1123Subdomain(name)));
  if (namespace === '') return [...causes, required(`${path}.namespace`, 'must specify namespace for service account')];
  return [...causes, ...invalidEach(`${path}.namespace`, namespace, dns1123Label(namespace))];
}

/** Of a list that may be `*` alone. */
function aloneCause(path: string, list: readonly string[], what: string): FieldCause[] {
  if (!list.includes('*') || list.length === 1) return [];
  return [invalid(path, list, `if '*' is present, must not specify other ${what}`)];
}

function validateVerbs(verbs: readonly string[] = [], path: string): FieldCause[] {
  if (verbs.length === 0) return [required(path, 'verbs must contain at least one value')];
  if (verbs.includes('*')) return aloneCause(path, verbs, 'verbs');
  return verbs.every((verb) => VERBS.includes(verb)) ? [] : [notSupported(path, verbs, VERBS)];
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): FieldCause[] {
  const { verbs, apiGroups = [], resources = [], namespaces = [], clusterScope = false } = rule;
  const causes = validateVerbs(verbs, `${path}.verbs`);
  if (apiGroups.length === 0)
    causes.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  causes.push(...aloneCause(`${path}.apiGroups`, apiGroups, 'api groups'));
  if (resources.length === 0)
    causes.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  causes.push(...aloneCause(`${path}.resources`, resources, 'resources'));
  return [...causes, ...validateNamespaces(namespaces, clusterScope, `${path}.namespaces`)];
}

function validateNamespaces(namespaces: readonly string[], clusterScope: boolean, path: string): FieldCause[] {
  if (namespaces.length === 0 && !clusterScope) {
    return [required(path, 'resource rules that are not cluster scoped must supply at least one namespace')];
  }
  if (namespaces.includes('*')) return aloneCause(path, namespaces, 'namespaces');
  const start = "each member of this list must be '*' or a DNS-1123 label; ";
  return namespaces.flatMap((name, i) =>
    dns1123Label(name).map((message) => invalid(`${path}[${i}]`, name, start + message)),
  );
}

function validateNonResourceRule({ verbs, nonResourceURLs: urls = [] }: NonResourcePolicyRule, path: string) {
  const causes = validateVerbs(verbs, `${path}.verbs`);
  const at = `${path}.nonResourceURLs`;
  if (urls.length === 0) return [...causes, required(at, 'nonResourceURLs must contain at least one value')];
  if (urls.includes('*')) return [...causes, ...aloneCause(at, urls, 'non-resource URLs')];
  const problems = urls.map((url, i) => [`${at}[${i}]`, url, urlProblem(url)] as const);
  return [...causes, ...problems.flatMap(([field, url, detail]) => (detail ? [invalid(field, url, detail)] : []))];
}

function urlProblem(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const wildcard = url.indexOf('*');
  return wildcard === -1 || (wildcard === url.length - 1 && url.endsWith('/*'))
    ? undefined
    : 'wildcard can only do suffix matching';
}

// The server prints a spec that is wrong as a whole by the names of its Go fields.
function goSpec(spec: Partial<FlowSchemaSpec>): object {
  const { priorityLevelConfiguration, matchingPrecedence = 0, distinguisherMethod, rules } = spec;
  return {
    PriorityLevelConfiguration: { Name: priorityLevelConfiguration?.name ?? '' },
    MatchingPrecedence: matchingPrecedence,
    DistinguisherMethod: distinguisherMethod ? { Type: distinguisherMethod.type } : null,
    Rules: rules?.map(goRules) ?? null,
  };
}

function goRules({ subjects, resourceRules, nonResourceRules }: PolicyRulesWithSubjects): object {
  return {
    Subjects: subjects?.map(goSubject) ?? null,
    ResourceRules: resourceRules?.map(goResourceRule) ?? null,
    NonResourceRules:
      nonResourceRules?.map(({ verbs, nonResourceURLs }) => ({ Verbs: verbs, NonResourceURLs: nonResourceURLs })) ??
      null,
  };
}

function goSubject({ kind, user, group, serviceAccount }: FlowcontrolSubject): object {
  return {
    Kind: kind,
    User: user ? { Name: user.name } : null,
    Group: group ? { Name: group.name } : null,
    ServiceAccount: serviceAccount ? { Namespace: serviceAccount.namespace, Name: serviceAccount.name } : null,
  };
}

function goResourceRule({ verbs, apiGroups, resources, clusterScope = false, namespaces }: ResourcePolicyRule): object {
  return {
    Verbs: verbs,
    APIGroups: apiGroups,
    Resources: resources,
    ClusterScope: clusterScope,
    Namespaces: namespaces ?? null,
  };
}
