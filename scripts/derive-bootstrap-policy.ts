// Derives the compact table of bootstrap RBAC objects from what a real server of the level we follow has:
//   kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json > rbac.json   (on a fresh server)
//   node scripts/derive-bootstrap-policy.ts rbac.json
import { readFileSync, writeFileSync } from 'node:fs';

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Item {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly rules?: readonly Rule[] | null;
  readonly aggregationRule?: {
    readonly clusterRoleSelectors: readonly { readonly matchLabels: Record<string, string> }[];
  };
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

const source = process.argv[2];
if (source === undefined) throw new Error('name the file that kubectl wrote');
const target = new URL('../src/apiserver/access/generated/bootstrap-policy.json', import.meta.url);
const { items } = JSON.parse(readFileSync(source, 'utf8')) as { readonly items: readonly Item[] };

const PREFIX = 'rbac.authorization.k8s.io/aggregate-to-';
const aggregatesTo = (labels: Record<string, string> | undefined): string =>
  Object.keys(labels ?? {})
    .filter((label) => label.startsWith(PREFIX))
    .map((label) => label.slice(PREFIX.length))
    .join();
// Five lists joined by semicolons, trailing empty ones left out; the core group is written as a dot.
const printRule = (rule: Rule): string =>
  [
    rule.verbs,
    rule.apiGroups?.map((group) => (group === '' ? '.' : group)),
    rule.resources,
    rule.resourceNames,
    rule.nonResourceURLs,
  ]
    .map((list) => list?.join() ?? '')
    .join(';')
    .replace(/;+$/, '');
const printSubjects = ({ subjects = [] }: Item): readonly string[] =>
  subjects.map(({ kind, name, namespace }) => [kind, name, namespace].filter(Boolean).join(' '));

const of = (kind: string): readonly Item[] => items.filter((item) => item.kind === kind);
const policy = {
  clusterRoles: of('ClusterRole').map((role) => ({
    name: role.metadata.name,
    ...(aggregatesTo(role.metadata.labels) ? { aggregateTo: aggregatesTo(role.metadata.labels) } : {}),
    ...(role.aggregationRule
      ? { aggregates: aggregatesTo(role.aggregationRule.clusterRoleSelectors[0]?.matchLabels) }
      : { rules: (role.rules ?? []).map(printRule) }),
  })),
  clusterRoleBindings: of('ClusterRoleBinding').map((binding) => ({
    name: binding.metadata.name,
    role: binding.roleRef?.name,
    subjects: printSubjects(binding),
  })),
  roles: of('Role').map((role) => ({
    namespace: role.metadata.namespace,
    name: role.metadata.name,
    rules: (role.rules ?? []).map(printRule),
  })),
  roleBindings: of('RoleBinding').map((binding) => ({
    namespace: binding.metadata.namespace,
    name: binding.metadata.name,
    roleKind: binding.roleRef?.kind,
    role: binding.roleRef?.name,
    subjects: printSubjects(binding),
  })),
};
writeFileSync(target, `${JSON.stringify(policy, undefined, 1)}\n`);
process.stdout.write(`${items.length} objects written to ${target.pathname}\n`);
