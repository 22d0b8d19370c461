import type { Node, Pod, PodSpec, Toleration } from '../../kube/generated/types.ts';
import { matchesNodeSelection } from '../../kube/node-affinity.ts';
import { untoleratedTaint } from '../../kube/tolerations.ts';

const exists = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
});
const TOLERATIONS: readonly Toleration[] = [
  exists('not-ready', 'NoExecute'),
  exists('unreachable', 'NoExecute'),
  exists('disk-pressure', 'NoSchedule'),
  exists('memory-pressure', 'NoSchedule'),
  exists('pid-pressure', 'NoSchedule'),
  exists('unschedulable', 'NoSchedule'),
];

/** The spec of a daemon's pod: it puts up with what is wrong with its node. */
export function withDaemonTolerations(spec: PodSpec): PodSpec {
  const all = spec.hostNetwork ? [...TOLERATIONS, exists('network-unavailable', 'NoSchedule')] : TOLERATIONS;
  const given = spec.tolerations ?? [];
  const missing = all.filter(
    ({ key, effect }) =>
      !given.some(
        (toleration) => toleration.key === key && toleration.effect === effect && toleration.operator === 'Exists',
      ),
  );
  return { ...spec, tolerations: [...given, ...missing] };
}

/** The spec bound to one node by affinity: the scheduler places it there or nowhere. */
export function pinToNode(spec: PodSpec, node: string): PodSpec {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  const { nodeAffinity } = spec.affinity ?? {};
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [{}];
  const pinned = { nodeSelectorTerms: terms.map((term) => ({ ...term, matchFields })) };
  return {
    ...spec,
    affinity: {
      ...spec.affinity,
      nodeAffinity: { ...nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: pinned },
    },
  };
}

/** The node a daemon's pod is for: where it runs, or the one that it is pinned to. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchFields = [] }) => matchFields).find(({ key }) => key === 'metadata.name')?.values?.[0];
}

/** Whether a daemon with this spec is to run on the node, and whether it may stay where it runs already. */
export function daemonOn(node: Node, spec: PodSpec): { readonly run: boolean; readonly stay: boolean } {
  const { tolerations = [] } = withDaemonTolerations(spec);
  const named = !spec.nodeName || spec.nodeName === node.metadata?.name;
  if (!named || !matchesNodeSelection(spec, node)) return { run: false, stay: false };
  const taints = node.spec?.taints ?? [];
  const stay = untoleratedTaint(taints, tolerations, ['NoExecute']) === undefined;
  return { run: stay && untoleratedTaint(taints, tolerations, ['NoSchedule']) === undefined, stay };
}
