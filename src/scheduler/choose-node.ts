import type { Random } from '../kube/clock.ts';
import type { Pod } from '../kube/generated/types.ts';
import type { ClusterState } from './cluster-state.ts';
import { reasonsAgainst } from './filter-node.ts';
import { hostPortsOf } from './host-ports.ts';
import type { NodeInfo } from './node-info.ts';
import { podAffinityFilter } from './pod-affinity.ts';
import { podRequests } from './pod-requests.ts';
import { scoreNodes } from './score-nodes.ts';
import { topologySpreadFilter } from './topology-spread.ts';

/** Where a pod goes, or why it can go nowhere in kube-scheduler's words. */
export type Choice = { readonly node: string } | { readonly failure: string };

/** Chooses the best of the nodes that can run the pod; equally good ones by chance. */
export function chooseNode(pod: Pod, state: ClusterState, random: Random): Choice {
  const nodes = state.nodes();
  if (nodes.length === 0) return { failure: 'no nodes available to schedule pods' };
  const reasons = new Map<string, number>();
  const feasible = feasibleNodes(pod, { nodes, state, reasons });
  if (feasible.length === 0) return { failure: describe(nodes.length, reasons) };
  if (feasible.length === 1) return { node: feasible[0]!.name };
  const scores = scoreNodes(pod, feasible, state);
  const best = Math.max(...scores);
  const winners = feasible.filter((_node, index) => scores[index] === best);
  return { node: winners[Math.floor(random() * winners.length)]!.name };
}

function feasibleNodes(
  pod: Pod,
  {
    nodes,
    state,
    reasons,
  }: { readonly nodes: readonly NodeInfo[]; readonly state: ClusterState; readonly reasons: Map<string, number> },
): readonly NodeInfo[] {
  const demand = { pod, requests: podRequests(pod), hostPorts: hostPortsOf(pod) };
  const spread = topologySpreadFilter(pod, nodes);
  const affinity = podAffinityFilter(pod, state);
  return nodes.filter((node) => {
    const own = reasonsAgainst(demand, node);
    const wider = own.length > 0 ? undefined : (spread(node) ?? affinity(node));
    const all = wider === undefined ? own : [wider];
    for (const reason of all) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return all.length === 0;
  });
}

function describe(total: number, reasons: ReadonlyMap<string, number>): string {
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${total} nodes are available: ${parts.join(', ')}.`;
}
