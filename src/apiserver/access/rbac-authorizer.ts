import type { PolicyRule, RoleRef, Subject } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import type { Store } from '../../store/store.ts';
import { followStore } from '../machinery/follow-store.ts';
import type { Caller, ObjectReader } from '../machinery/strategy.ts';
import type { Attributes, Authorizer } from './attributes.ts';
import { ruleAllows } from './policy-rule.ts';
import { RBAC_PREFIX, rbac } from './role-types.ts';

const MASTERS = 'system:masters';
const MAX_DECISIONS = 4096;

type Rules = readonly PolicyRule[];
/** Rules by subject: `User/x`, `Group/x`, `ServiceAccount/namespace/x`. */
type BySubject = Map<string, PolicyRule[]>;

interface Index {
  readonly cluster: BySubject;
  readonly namespaces: ReadonlyMap<string, BySubject>;
}

/** RBAC over the roles and bindings in the store; members of system:masters may do everything. */
export class RbacAuthorizer implements Authorizer, Disposable {
  readonly #reader: ObjectReader;
  readonly #following: Disposable;
  #index: Index | undefined;
  #decisions = new WeakMap<Caller, Map<string, boolean>>();

  constructor(store: Store, reader: ObjectReader) {
    this.#reader = reader;
    const forget = (): void => {
      this.#index = undefined;
      this.#decisions = new WeakMap();
    };
    this.#following = followStore(store, RBAC_PREFIX, forget);
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
  }

  allows(caller: Caller, attributes: Attributes): boolean {
    if (caller.groups.includes(MASTERS)) return true;
    const key = JSON.stringify(attributes);
    const decisions = this.#decisions.get(caller) ?? new Map<string, boolean>();
    this.#decisions.set(caller, decisions);
    let decision = decisions.get(key);
    if (decision === undefined) {
      const namespace = attributes.type === 'resource' ? attributes.namespace : '';
      decision = this.rulesFor(caller, namespace).some((rule) => ruleAllows(rule, attributes));
      if (decisions.size < MAX_DECISIONS) decisions.set(key, decision);
    }
    return decision;
  }

  /** Everything that the caller may do in this namespace, '' for what holds in the whole cluster only. */
  rulesFor(caller: Caller, namespace: string): Rules {
    if (caller.groups.includes(MASTERS)) return [everything, everyPath];
    this.#index ??= buildIndex(this.#reader);
    const { cluster, namespaces } = this.#index;
    const inside = namespace === '' ? undefined : namespaces.get(namespace);
    return subjectsOf(caller).flatMap((subject) => [...(cluster.get(subject) ?? []), ...(inside?.get(subject) ?? [])]);
  }

  /** The rules of a role; undefined when it is not there. */
  rulesOf(roleRef: RoleRef, namespace: string): Rules | undefined {
    return rulesOf(this.#reader, roleRef, namespace);
  }
}

const everything: PolicyRule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
const everyPath: PolicyRule = { nonResourceURLs: ['*'], verbs: ['*'] };

function subjectsOf({ name, groups }: Caller): string[] {
  const subjects = [`User/${name}`, ...groups.map((group) => `Group/${group}`)];
  const [system, kind, namespace, account] = name.split(':');
  if (system === 'system' && kind === 'serviceaccount') subjects.push(`ServiceAccount/${namespace}/${account}`);
  return subjects;
}

function buildIndex(reader: ObjectReader): Index {
  const cluster: BySubject = new Map();
  for (const { roleRef, subjects = [] } of reader.list(rbac.clusterRoleBindings)) {
    bind(cluster, subjects, rulesOf(reader, roleRef, '') ?? [], '');
  }
  const namespaces = new Map<string, BySubject>();
  for (const { metadata, roleRef, subjects = [] } of reader.list(rbac.roleBindings)) {
    const namespace = metadata?.namespace ?? '';
    const inside = namespaces.get(namespace) ?? new Map();
    namespaces.set(namespace, inside);
    bind(inside, subjects, rulesOf(reader, roleRef, namespace) ?? [], namespace);
  }
  return { cluster, namespaces };
}

function bind(index: BySubject, subjects: readonly Subject[], rules: Rules, namespace: string): void {
  for (const { kind, name, namespace: own } of subjects) {
    const key = kind === 'ServiceAccount' ? `${kind}/${own || namespace}/${name}` : `${kind}/${name}`;
    const known = index.get(key);
    if (known) known.push(...rules);
    else index.set(key, [...rules]);
  }
}

function rulesOf(reader: ObjectReader, { kind, name }: RoleRef, namespace: string): Rules | undefined {
  if (kind === 'Role') {
    const role = reader.get(rbac.roles, { namespace, name });
    return role && (role.rules ?? []);
  }
  const role = reader.get(rbac.clusterRoles, { name });
  return role && (role.rules ?? []);
}

/** The rules that an aggregated ClusterRole collects from the others, in the order of their names. */
export function aggregatedRules(
  reader: ObjectReader,
  selectors: readonly Parameters<typeof matchesLabelSelector>[0][],
  own: string,
): Rules {
  const collected = reader
    .list(rbac.clusterRoles)
    .filter(
      ({ metadata }) =>
        metadata?.name !== own && selectors.some((selector) => matchesLabelSelector(selector, metadata?.labels)),
    )
    .flatMap(({ rules }) => rules ?? []);
  const seen = new Set<string>();
  return collected.filter((rule) => {
    const key = JSON.stringify(rule);
    return seen.has(key) ? false : seen.add(key);
  });
}
