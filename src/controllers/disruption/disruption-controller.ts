import type { Pod, PodDisruptionBudget } from '../../kube/generated/types.ts';
import { matchesLabelSelector } from '../../kube/label-selector.ts';
import { controllerOf } from '../../kube/owner-references.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';
import { buildBudgetStatus } from './build-budget-status.ts';

/** Works out how many evictions each PodDisruptionBudget allows; the API server refuses those beyond it. */
export function startDisruptionController(context: ControllerContext): Disposable {
  const { clock, informers } = context;
  const budgets = informers.for(resources.podDisruptionBudgets);
  const pods = informers.for(resources.pods);
  const selects = ({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean =>
    metadata?.namespace === pod.metadata?.namespace && matchesLabelSelector(spec?.selector, pod.metadata?.labels);
  const loop: ControllerLoop = new ControllerLoop(context, {
    name: 'disruption',
    component: 'controllermanager',
    reconcile: async (key) => {
      const budget = budgets.get(key);
      if (budget === undefined) return loop.fence.forget(key);
      const selected = pods.list().filter((pod) => selects(budget, pod));
      const facts = { pods: selected, expected: expectedPods(context, selected), now: clock.now() };
      const { status, changesIn } = buildBudgetStatus(budget, facts);
      if (changesIn !== undefined) loop.enqueueAfter(key, changesIn);
      await loop.writeStatus(resources.podDisruptionBudgets, budget, status);
    },
  })
    .watch(budgets, (budget) => [keyOf(budget)])
    .watch(pods, (pod) =>
      budgets
        .list()
        .filter((budget) => selects(budget, pod))
        .map(keyOf),
    );
  return loop;
}

// What the controllers of the pods ask for; a pod without a controller that has a size stands for itself.
function expectedPods({ informers }: ControllerContext, pods: readonly Pod[]): number {
  const sizes = new Map<string, number>();
  let single = 0;
  for (const pod of pods) {
    const owner = controllerOf(pod);
    const key = `${pod.metadata?.namespace}/${owner?.name}`;
    const set = owner?.kind === 'ReplicaSet' ? informers.for(resources.replicaSets).get(key) : undefined;
    const stateful = owner?.kind === 'StatefulSet' ? informers.for(resources.statefulSets).get(key) : undefined;
    const parent = set === undefined ? undefined : controllerOf(set);
    const deployment =
      parent?.kind === 'Deployment'
        ? informers.for(resources.deployments).get(`${pod.metadata?.namespace}/${parent.name}`)
        : undefined;
    const sized = deployment ?? set ?? stateful;
    if (sized === undefined) single++;
    else sizes.set(sized.metadata?.uid ?? '', sized.spec?.replicas ?? 1);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, single);
}
