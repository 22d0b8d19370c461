import type { Node, NodeSelector, NodeSelectorTerm, PodSpec } from './generated/types.ts';
import { hasLabels, type LabelRequirement, matchesRequirements } from './label-selector.ts';

/** True when a pod's nodeSelector and its required node affinity both allow the node. */
export function matchesNodeSelection(spec: PodSpec, node: Node): boolean {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return (
    hasLabels(spec.nodeSelector ?? {}, node.metadata?.labels) && (required === undefined || matchesNode(required, node))
  );
}

/** True when one of the terms matches; a selector without terms matches nothing. */
export function matchesNode(selector: NodeSelector, node: Node): boolean {
  return selector.nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));
}

/** True when every expression and field of the term matches; an empty term matches nothing. */
export function matchesNodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata?.name ?? '' };
  return (
    matchesRequirements(matchExpressions.map(toRequirement), node.metadata?.labels) &&
    matchesRequirements(matchFields.map(toRequirement), fields)
  );
}

function toRequirement(requirement: {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}): LabelRequirement {
  const { key, operator, values = [] } = requirement;
  return { key, operator: operator as LabelRequirement['operator'], values };
}
