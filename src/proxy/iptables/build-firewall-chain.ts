import type { Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import { allowedSources } from '../facts/allowed-sources.ts';
import { comment } from './phrases.ts';
import type { PortPlan } from './plan-port.ts';
import type { RuleContext } from './rule-context.ts';

/** KUBE-FW-: lets the source ranges of a load balancer through; KUBE-PROXY-FIREWALL drops what comes out at its end. */
export function buildFirewallChain(plan: PortPlan, { node }: RuleContext): Chain {
  const { port } = plan.selected;
  const target = { kind: 'jump', chain: plan.chains.external } as const;
  const rules: Rule[] = allowedSources(port, node.nodeIP).map((prefix) => ({
    matches: [{ kind: 'source', prefix }, comment(`${port.text} loadbalancer IP`)],
    target,
  }));
  const note = comment(`other traffic to ${port.text} will be dropped by KUBE-PROXY-FIREWALL`);
  return { name: plan.chains.firewall, rules: [...rules, { matches: [note] }] };
}
