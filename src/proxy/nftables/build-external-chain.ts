import type { Rule, Statement } from '../../netfilter/nftables/rule.ts';
import type { Chain } from '../../netfilter/nftables/table.ts';
import type { NodeNetwork } from '../facts/node-network.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { MARK_FOR_MASQUERADE, type ServiceObjects } from './object-names.ts';
import { goto, ifFromPod, jump, matches, rule } from './phrases.ts';

/** `external-...`: traffic to node port, external IP and load balancer address. */
export function buildExternalChain(selected: SelectedPort, objects: ServiceObjects, node: NodeNetwork): Chain {
  const { port, endpoints } = selected;
  if (!port.externalPolicyLocal) {
    return { name: objects.external, rules: [rule([jump(MARK_FOR_MASQUERADE)]), rule([goto(objects.cluster)])] };
  }
  const toLocal = endpoints.local.length > 0 ? [rule([goto(objects.local)])] : [];
  return { name: objects.external, rules: [...shortCircuits(objects, node), ...toLocal] };
}

// Pods and the node itself are not subject to policy Local: they act as if the load balancer had sent them back in.
function shortCircuits({ cluster }: ServiceObjects, node: NodeNetwork): Rule[] {
  const fromPod = ifFromPod(node);
  const fromNode: Statement = matches('fib saddr type', ['local']);
  return [
    ...(fromPod === undefined ? [] : [rule([fromPod, goto(cluster)], 'short-circuit pod traffic')]),
    rule([fromNode, jump(MARK_FOR_MASQUERADE)], 'masquerade local traffic'),
    rule([fromNode, goto(cluster)], 'short-circuit local traffic'),
  ];
}
