import type { ClusterRole } from '../../kube/generated/types.ts';
import type { KubeObject } from '../../kube/resources.ts';
import { sameValue } from '../machinery/api-object.ts';
import { followStore } from '../machinery/follow-store.ts';
import type { Machinery, RequestContext } from '../machinery/machinery.ts';
import { prefixOf } from '../machinery/object-keys.ts';
import { updateObject } from '../machinery/update-object.ts';
import { aggregatedRules } from './rbac-authorizer.ts';
import { rbac } from './role-types.ts';

const context: RequestContext = {
  caller: { name: 'system:serviceaccount:kube-system:clusterrole-aggregation-controller', groups: ['system:masters'] },
  manager: 'clusterrole-aggregation-controller',
  dryRun: false,
  fieldValidation: 'Ignore',
  warn: () => {},
};

/** Keeps the rules of ClusterRoles with an aggregationRule: those of all the roles that their selectors select. */
export function aggregateClusterRoles(machinery: Machinery, onError: (error: unknown) => void): Disposable {
  let scheduled = false;
  let isClosed = false;
  const run = (): void => {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      update(machinery).catch((error) => {
        // Of what was under way nobody expects more.
        if (!isClosed) onError(error);
      });
    });
  };
  run();
  const following = followStore(machinery.store, prefixOf(rbac.clusterRoles), run);
  return {
    [Symbol.dispose]: () => {
      isClosed = true;
      following[Symbol.dispose]();
    },
  };
}

// An aggregate may be part of another one: their changes come back through the watch until nothing changes any more.
async function update(machinery: Machinery): Promise<void> {
  const { reader, registry } = machinery;
  const resource = registry.find(rbac.clusterRoles.group, rbac.clusterRoles.version, rbac.clusterRoles.resource)!;
  for (const role of reader.list(rbac.clusterRoles)) {
    const selectors = role.aggregationRule?.clusterRoleSelectors;
    const name = role.metadata?.name ?? '';
    if (!selectors) continue;
    const rules = aggregatedRules(reader, selectors, name);
    if (sameValue(rules, role.rules ?? [])) continue;
    const want = (live: KubeObject | undefined) => ({ object: { ...live, rules } as ClusterRole, tracked: false });
    await updateObject(machinery, { resource, subresource: '', namespace: undefined, name, context, want });
  }
}
