import type { Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '../../kube/generated/types.ts';
import { timeOf, timestampOf } from '../../kube/timestamp.ts';
import { resolveIntOrPercent } from '../pods/int-or-percent.ts';
import { isPodFinished, isPodReady, isPodTerminating } from '../pods/pod-facts.ts';

/** An eviction that was granted counts as a missing pod for so long, unless the pod goes before. */
const DISRUPTION_MS = 120_000;

export interface BudgetFacts {
  /** Pods that the budget selects. */
  readonly pods: readonly Pod[];
  /** How many there should be, by what their controllers ask for. */
  readonly expected: number;
  readonly now: number;
}

/** The status of a PodDisruptionBudget: how many evictions it allows now; and when an eviction that was granted is forgotten. */
export function buildBudgetStatus(
  { metadata, spec, status }: PodDisruptionBudget,
  { pods, expected, now }: BudgetFacts,
): { readonly status: PodDisruptionBudgetStatus; readonly changesIn: number | undefined } {
  const counting = pods.filter((pod) => !isPodFinished(pod));
  const absolute = typeof spec?.minAvailable === 'number';
  const expectedPods = absolute ? counting.length : expected;
  const disruptedPods = Object.fromEntries(
    Object.entries(status?.disruptedPods ?? {}).filter(([name, time]) => {
      const pod = pods.find((candidate) => candidate.metadata?.name === name);
      return pod !== undefined && !isPodTerminating(pod) && (timeOf(time) ?? 0) + DISRUPTION_MS > now;
    }),
  );
  const currentHealthy = counting.filter(
    (pod) => isPodReady(pod) && !isPodTerminating(pod) && !((pod.metadata?.name ?? '') in disruptedPods),
  ).length;
  const desiredHealthy = desiredOf(spec, expectedPods);
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const ends = Object.values(disruptedPods).map((time) => (timeOf(time) ?? now) + DISRUPTION_MS - now);
  const counts = {
    expectedPods,
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed,
    observedGeneration: metadata?.generation,
  };
  return {
    status: {
      ...counts,
      ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
      conditions: [condition(status, disruptionsAllowed, { now, generation: metadata?.generation })],
    },
    changesIn: ends.length > 0 ? Math.max(0, Math.min(...ends)) : undefined,
  };
}

function desiredOf(spec: PodDisruptionBudget['spec'], total: number): number {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (maxUnavailable !== undefined)
    return Math.max(0, total - resolveIntOrPercent(maxUnavailable, { total, round: 'up', fallback: 0 }));
  return resolveIntOrPercent(minAvailable, { total, round: 'up', fallback: 0 });
}

function condition(
  before: PodDisruptionBudgetStatus | undefined,
  allowed: number,
  { now, generation }: { readonly now: number; readonly generation: number | undefined },
) {
  const status = allowed > 0 ? 'True' : 'False';
  const current = before?.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  return {
    type: 'DisruptionAllowed',
    status,
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: generation,
    lastTransitionTime: current?.status === status ? current.lastTransitionTime : timestampOf(now),
  };
}
