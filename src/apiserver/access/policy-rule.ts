import type { PolicyRule } from '../../kube/generated/types.ts';
import type { Attributes } from './attributes.ts';

/** True when the rule allows it. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if (attributes.type === 'path') return (rule.nonResourceURLs ?? []).some((url) => urlCovers(url, attributes.path));
  const { group, resource, subresource, name } = attributes;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return (
    has(rule.apiGroups, group) &&
    (has(rule.resources, combined) || (subresource !== '' && has(rule.resources, `*/${subresource}`))) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(name))
  );
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function urlCovers(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, ''));
}

/** What of `wanted` no rule of `owned` covers, one rule for each verb, group, resource and name. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  return wanted.flatMap(breakdown).filter((single) => !owned.some((rule) => covers(rule, single)));
}

function breakdown(rule: PolicyRule): PolicyRule[] {
  const singles: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const apiGroup of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const single = { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
        if (!rule.resourceNames?.length) singles.push(single);
        else singles.push(...rule.resourceNames.map((name) => ({ ...single, resourceNames: [name] })));
      }
    }
    for (const url of rule.nonResourceURLs ?? []) singles.push({ nonResourceURLs: [url], verbs: [verb] });
  }
  return singles;
}

function covers(
  owner: PolicyRule,
  { verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule,
): boolean {
  if (!has(owner.verbs, verbs[0]!)) return false;
  if (nonResourceURLs) return (owner.nonResourceURLs ?? []).some((url) => urlCovers(url, nonResourceURLs[0]!));
  const resource = resources?.[0] ?? '';
  const subresource = resource.includes('/') ? resource.slice(resource.indexOf('/') + 1) : '';
  const names = owner.resourceNames ?? [];
  return (
    has(owner.apiGroups, apiGroups?.[0] ?? '') &&
    (has(owner.resources, resource) ||
      (subresource !== '' && owner.resources?.includes(`*/${subresource}`) === true)) &&
    (names.length === 0 || (resourceNames !== undefined && names.includes(resourceNames[0]!)))
  );
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`: rules as escalation errors list them, verbs of one resource joined. */
export function printRules(rules: readonly PolicyRule[]): string {
  const compact = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const key = JSON.stringify({ ...rule, verbs: undefined });
    const known = compact.get(key);
    compact.set(key, known ? { ...known, verbs: [...known.verbs, ...rule.verbs] } : rule);
  }
  const quoted = (list: readonly string[]): string => `[${list.map((text) => JSON.stringify(text)).join(' ')}]`;
  const lines = [...compact.values()].map(({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }) => {
    const parts = [
      apiGroups && `APIGroups:${quoted(apiGroups)}`,
      resources && `Resources:${quoted(resources)}`,
      nonResourceURLs && `NonResourceURLs:${quoted(nonResourceURLs)}`,
      resourceNames && `ResourceNames:${quoted(resourceNames)}`,
      `Verbs:${quoted(verbs)}`,
    ];
    return `{${parts.filter(Boolean).join(', ')}}`;
  });
  return [...new Set(lines)].sort().join('\n');
}
