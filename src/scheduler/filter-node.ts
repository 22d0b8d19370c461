import type { Pod } from '../kube/generated/types.ts';
import { matchesNodeSelection } from '../kube/node-affinity.ts';
import { toleratesTaint, untoleratedTaint } from '../kube/tolerations.ts';
import { type HostPort, portsConflict } from './host-ports.ts';
import type { NodeInfo } from './node-info.ts';
import type { Amounts } from './pod-requests.ts';

/** What is asked of a node, worked out once for a pod. */
export interface PodDemand {
  readonly pod: Pod;
  readonly requests: Amounts;
  readonly hostPorts: readonly HostPort[];
}

const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Why a pod cannot run on a node, in kube-scheduler's words; empty when it can. Only the first kind of reason is given. */
export function reasonsAgainst({ pod, requests, hostPorts }: PodDemand, info: NodeInfo): readonly string[] {
  const { node } = info;
  const { spec } = pod;
  if (node === undefined || spec === undefined) return ['node(s) not found'];
  const tolerations = spec.tolerations ?? [];
  if (node.spec?.unschedulable && !tolerations.some((toleration) => toleratesTaint(toleration, UNSCHEDULABLE))) {
    return ['node(s) were unschedulable'];
  }
  const taint = untoleratedTaint(node.spec?.taints ?? [], tolerations, ['NoSchedule', 'NoExecute']);
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  if (!matchesNodeSelection(spec, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (hasPortConflict(hostPorts, info)) return ["node(s) didn't have free ports for the requested pod ports"];
  return missingResources(requests, info);
}

function hasPortConflict(wanted: readonly HostPort[], { pods }: NodeInfo): boolean {
  if (wanted.length === 0) return false;
  for (const { hostPorts } of pods.values()) {
    if (hostPorts.some((taken) => wanted.some((port) => portsConflict(port, taken)))) return true;
  }
  return false;
}

function missingResources(requests: Amounts, { pods, requested, allocatable }: NodeInfo): readonly string[] {
  const reasons: string[] = [];
  const allowedPods = allocatable.get('pods');
  if (allowedPods !== undefined && (pods.size + 1) * 1000 > allowedPods) reasons.push('Too many pods');
  for (const [name, amount] of requests) {
    if (amount > 0 && amount + (requested.get(name) ?? 0) > (allocatable.get(name) ?? 0))
      reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}
