import type { Pod } from '../kube/generated/types.ts';
import { matchesNodeTerm } from '../kube/node-affinity.ts';
import { controllerOf } from '../kube/owner-references.ts';
import { toleratesTaint } from '../kube/tolerations.ts';
import type { ClusterState } from './cluster-state.ts';
import type { NodeInfo } from './node-info.ts';
import { preferredNeighbours } from './pod-affinity.ts';
import { type Amounts, assumedRequests } from './pod-requests.ts';
import { topologyCrowding } from './topology-spread.ts';

/** Compared by weight: what kube-scheduler's default profile gives to each plugin. */
const WEIGHTS = {
  resources: 1,
  balance: 1,
  taints: 3,
  nodeAffinity: 2,
  podAffinity: 2,
  spread: 2,
  siblings: 2,
} as const;

/** Scores nodes that could run the pod; higher is better, and only the comparison means something. */
export function scoreNodes(pod: Pod, nodes: readonly NodeInfo[], state: ClusterState): readonly number[] {
  const requests = assumedRequests(pod);
  const crowding = topologyCrowding(pod, state.nodes());
  const parts: readonly { readonly weight: number; readonly scores: readonly number[] }[] = [
    { weight: WEIGHTS.resources, scores: nodes.map((node) => leastAllocated(requests, node)) },
    { weight: WEIGHTS.balance, scores: nodes.map((node) => balancedAllocation(requests, node)) },
    { weight: WEIGHTS.taints, scores: normalize(nodes.map((node) => -untoleratedPreferences(pod, node))) },
    { weight: WEIGHTS.nodeAffinity, scores: normalize(nodes.map((node) => preferredNode(pod, node))) },
    { weight: WEIGHTS.podAffinity, scores: normalize(nodes.map(preferredNeighbours(pod, state))) },
    { weight: WEIGHTS.spread, scores: normalize(nodes.map((node) => -crowding(node))) },
    { weight: WEIGHTS.siblings, scores: normalize(nodes.map((node) => -siblings(pod, node))) },
  ];
  return nodes.map((_node, index) => parts.reduce((sum, { weight, scores }) => sum + weight * scores[index]!, 0));
}

// 0 .. 100 for the worst and the best; all the same when there is no difference.
function normalize(values: readonly number[]): readonly number[] {
  const least = Math.min(...values);
  const span = Math.max(...values) - least;
  return span === 0 ? values.map(() => 0) : values.map((value) => ((value - least) * 100) / span);
}

function fractions(requests: Amounts, { assumed, allocatable }: NodeInfo): readonly number[] {
  return ['cpu', 'memory'].flatMap((name) => {
    const room = allocatable.get(name) ?? 0;
    return room === 0 ? [] : [((requests.get(name) ?? 0) + (assumed.get(name) ?? 0)) / room];
  });
}

function leastAllocated(requests: Amounts, node: NodeInfo): number {
  const used = fractions(requests, node);
  return used.length === 0 ? 0 : used.reduce((sum, fraction) => sum + Math.max(0, 1 - fraction) * 100, 0) / used.length;
}

function balancedAllocation(requests: Amounts, node: NodeInfo): number {
  const [cpu, memory] = fractions(requests, node).map((fraction) => Math.min(1, fraction));
  return cpu === undefined || memory === undefined ? 0 : (1 - Math.abs(cpu - memory) / 2) * 100;
}

function untoleratedPreferences({ spec }: Pod, { node }: NodeInfo): number {
  const tolerations = spec?.tolerations ?? [];
  const preferences = (node?.spec?.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule');
  return preferences.filter((taint) => !tolerations.some((toleration) => toleratesTaint(toleration, taint))).length;
}

function preferredNode({ spec }: Pod, { node }: NodeInfo): number {
  const terms = spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms.reduce(
    (sum, { weight, preference }) => sum + (node && matchesNodeTerm(preference, node) ? weight : 0),
    0,
  );
}

// Pods of one controller are spread over the nodes without anybody asking, as upstream's default constraints do.
function siblings(pod: Pod, { byController }: NodeInfo): number {
  const owner = controllerOf(pod)?.uid;
  return owner === undefined || pod.spec?.topologySpreadConstraints?.length ? 0 : (byController.get(owner) ?? 0);
}
