import type { Match, Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import { comment, ifLocal, MASQUERADE } from './phrases.ts';
import type { PortPlan } from './plan-port.ts';
import type { RuleContext } from './rule-context.ts';

const LOCAL_SOURCE: Match = { kind: 'address-type', side: 'source', type: 'LOCAL' };

/** KUBE-EXT-: traffic to node port, external IP and load balancer address of a ServicePort. */
export function buildExternalChain(plan: PortPlan, context: RuleContext): Chain {
  const { port } = plan.selected;
  const rules = port.externalPolicyLocal ? buildShortCircuit(plan, context) : [masqueradeAll(port.text)];
  const { externalPolicyChain: chain } = plan;
  return {
    name: plan.chains.external,
    rules: chain === undefined ? rules : [...rules, { matches: [], target: { kind: 'jump', chain } }],
  };
}

function masqueradeAll(text: string): Rule {
  return { matches: [comment(`masquerade traffic for ${text} external destinations`)], target: MASQUERADE };
}

// Pods and the node itself are not subject to policy Local: they act as if the load balancer had sent them back in.
function buildShortCircuit({ selected: { port }, chains }: PortPlan, { node }: RuleContext): Rule[] {
  const pods = ifLocal(node.localDetector);
  const toCluster = { kind: 'jump', chain: chains.cluster } as const;
  const fromPods: Match = comment(`pod traffic for ${port.text} external destinations`);
  return [
    ...(pods === undefined ? [] : [{ matches: [...pods, fromPods], target: toCluster }]),
    {
      matches: [comment(`masquerade LOCAL traffic for ${port.text} external destinations`), LOCAL_SOURCE],
      target: MASQUERADE,
    },
    {
      matches: [comment(`route LOCAL traffic for ${port.text} external destinations`), LOCAL_SOURCE],
      target: toCluster,
    },
  ];
}
