import type { ClusterRole, PolicyRule, RoleBinding } from '../../kube/generated/types.ts';
import type { KubeObject, ResourceType } from '../../kube/resources.ts';
import { sameValue } from '../machinery/api-object.ts';
import { forbiddenError, notFound } from '../machinery/errors.ts';
import type { Caller, Strategy, StrategyContext } from '../machinery/strategy.ts';
import { printRules, uncovered } from './policy-rule.ts';
import type { RbacAuthorizer } from './rbac-authorizer.ts';
import { rbac } from './role-types.ts';

type AuthorizerOf = () => RbacAuthorizer;

/** A strategy whose writers cannot grant what they do not have themselves, unless they may `escalate`. */
export function guardRole(strategy: Strategy, type: ResourceType, authorizer: AuthorizerOf): Strategy {
  return guard(strategy, (object, live, { caller }) => {
    const { rules = [], metadata } = object as ClusterRole;
    if (live && sameValue(rules, (live as ClusterRole).rules ?? [])) return;
    const { name = '', namespace = '' } = metadata ?? {};
    if (
      authorizer().allows(caller, {
        type: 'resource',
        verb: 'escalate',
        group: type.group,
        resource: type.resource,
        subresource: '',
        namespace,
        name,
      })
    )
      return;
    confirm(authorizer(), caller, { type, name, namespace, rules });
  });
}

/** A strategy whose writers cannot bind a role that has more than they do, unless they may `bind` it. */
export function guardBinding(strategy: Strategy, type: ResourceType, authorizer: AuthorizerOf): Strategy {
  return guard(strategy, (object, live, { caller }) => {
    const { roleRef, subjects, metadata } = object as RoleBinding;
    const before = live as RoleBinding | undefined;
    if (before && sameValue(roleRef, before.roleRef) && sameValue(subjects ?? [], before.subjects ?? [])) return;
    const { name = '', namespace = '' } = metadata ?? {};
    const resource = roleRef?.kind === 'Role' ? 'roles' : 'clusterroles';
    const bound = {
      type: 'resource',
      verb: 'bind',
      group: type.group,
      resource,
      subresource: '',
      namespace,
      name: roleRef?.name ?? '',
    } as const;
    if (authorizer().allows(caller, bound)) return;
    const rules = roleRef && authorizer().rulesOf(roleRef, namespace);
    if (!rules) throw notFound(resource === 'roles' ? rbac.roles : rbac.clusterRoles, roleRef?.name ?? '');
    confirm(authorizer(), caller, { type, name, namespace, rules });
  });
}

type Check = (object: KubeObject, live: KubeObject | undefined, context: StrategyContext) => void;

function guard(strategy: Strategy, check: Check): Strategy {
  return {
    ...strategy,
    create: (object, context) => {
      check(object, undefined, context);
      return strategy.create?.(object, context) ?? object;
    },
    update: {
      ...strategy.update,
      prepare: (object, live, context) => {
        check(object, live, context);
        return strategy.update.prepare(object, live, context);
      },
    },
  };
}

interface Grant {
  readonly type: ResourceType;
  readonly name: string;
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
}

function confirm(authorizer: RbacAuthorizer, caller: Caller, { type, name, namespace, rules }: Grant): void {
  const missing = uncovered(authorizer.rulesFor(caller, namespace), rules);
  if (missing.length === 0) return;
  const groups = `[${caller.groups.map((group) => JSON.stringify(group)).join(' ')}]`;
  const who = `user ${JSON.stringify(caller.name)} (groups=${groups})`;
  throw forbiddenError(
    type,
    name,
    `${who} is attempting to grant RBAC permissions not currently held:\n${printRules(missing)}`,
  );
}
