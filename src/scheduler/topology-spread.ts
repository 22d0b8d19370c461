import type { Pod, TopologySpreadConstraint } from '../kube/generated/types.ts';
import { type LabelRequirement, labelRequirementsOf, matchesRequirements } from '../kube/label-selector.ts';
import { matchesNodeSelection } from '../kube/node-affinity.ts';
import { untoleratedTaint } from '../kube/tolerations.ts';
import type { NodeInfo } from './node-info.ts';

const MISMATCH = "node(s) didn't match pod topology spread constraints";

interface Spread {
  readonly constraint: TopologySpreadConstraint;
  /** Matching pods by value of the topology key, over the nodes that count. */
  readonly counts: ReadonlyMap<string, number>;
  readonly least: number;
  /** 1 when the pod itself will be counted. */
  readonly self: number;
}

/** Says why placing the pod on a node would spread its group too unevenly; undefined when it would not. */
export function topologySpreadFilter(pod: Pod, nodes: readonly NodeInfo[]): (node: NodeInfo) => string | undefined {
  const spreads = (pod.spec?.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
    .map((constraint) => measure(constraint, pod, nodes));
  return (node) => {
    for (const { constraint, counts, least, self } of spreads) {
      const value = node.labels[constraint.topologyKey];
      if (value === undefined) return `${MISMATCH} (missing required label)`;
      if ((counts.get(value) ?? 0) + self - least > constraint.maxSkew) return MISMATCH;
    }
    return undefined;
  };
}

/** How many pods of the group are already where the node is, for the constraints that are mere wishes: fewer is better. */
export function topologyCrowding(pod: Pod, nodes: readonly NodeInfo[]): (node: NodeInfo) => number {
  const spreads = (pod.spec?.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway')
    .map((constraint) => measure(constraint, pod, nodes));
  return (node) =>
    spreads.reduce(
      (sum, { constraint, counts }) => sum + (counts.get(node.labels[constraint.topologyKey] ?? '') ?? 0),
      0,
    );
}

function measure(constraint: TopologySpreadConstraint, pod: Pod, nodes: readonly NodeInfo[]): Spread {
  const requirements = selectorOf(constraint, pod);
  const matches = (other: Pod): boolean =>
    other.metadata?.namespace === pod.metadata?.namespace &&
    other.metadata?.deletionTimestamp === undefined &&
    requirements !== undefined &&
    matchesRequirements(requirements, other.metadata?.labels);
  const counts = new Map<string, number>();
  for (const node of nodes.filter((candidate) => nodeCounts(constraint, pod, candidate))) {
    const value = node.labels[constraint.topologyKey]!;
    let count = counts.get(value) ?? 0;
    for (const placed of node.pods.values()) if (matches(placed.pod)) count++;
    counts.set(value, count);
  }
  const tooFew = counts.size < (constraint.minDomains ?? 1);
  const least = tooFew || counts.size === 0 ? 0 : Math.min(...counts.values());
  return { constraint, counts, least, self: matches(pod) ? 1 : 0 };
}

function selectorOf(
  { labelSelector, matchLabelKeys = [] }: TopologySpreadConstraint,
  pod: Pod,
): readonly LabelRequirement[] | undefined {
  if (labelSelector === undefined) return undefined;
  const own = matchLabelKeys.flatMap((key): readonly LabelRequirement[] => {
    const value = pod.metadata?.labels?.[key];
    return value === undefined ? [] : [{ key, operator: 'In', values: [value] }];
  });
  return [...labelRequirementsOf(labelSelector), ...own];
}

// Only nodes where the pod may go at all count, unless the constraint says otherwise.
function nodeCounts(
  { topologyKey, nodeAffinityPolicy = 'Honor', nodeTaintsPolicy = 'Ignore' }: TopologySpreadConstraint,
  { spec }: Pod,
  { labels, node }: NodeInfo,
): boolean {
  if (labels[topologyKey] === undefined || node === undefined || spec === undefined) return false;
  if (nodeAffinityPolicy === 'Honor' && !matchesNodeSelection(spec, node)) return false;
  const taints = node.spec?.taints ?? [];
  return nodeTaintsPolicy !== 'Honor' || !untoleratedTaint(taints, spec.tolerations ?? [], ['NoSchedule', 'NoExecute']);
}
