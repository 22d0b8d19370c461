import type { Rule } from '../../netfilter/iptables/rule.ts';
import type { Chain } from '../../netfilter/iptables/ruleset.ts';
import type { Endpoint } from '../facts/endpoint.ts';
import type { SelectedPort } from '../facts/select-endpoints.ts';
import { buildDispatchRules } from './build-dispatch-rules.ts';
import { buildEndpointChain, buildEndpointRules } from './build-endpoint-rules.ts';
import { buildExternalChain } from './build-external-chain.ts';
import { buildFirewallChain } from './build-firewall-chain.ts';
import { endpointChain } from './chain-names.ts';
import { comment, ifNotLocal, inOrder, MASQUERADE, toAddress } from './phrases.ts';
import { type PortPlan, planPort } from './plan-port.ts';
import type { DispatchRule, RuleContext } from './rule-context.ts';

/** All rules of one ServicePort. */
export interface ServiceRules {
  /** In writing order. */
  readonly dispatch: readonly DispatchRule[];
  /** Chains of its own except for those of endpoints, in table nat. */
  readonly chains: readonly Chain[];
  /** Chains of endpoints behind them; each depends on nothing but the ServicePort and the endpoint. */
  readonly endpointChains: readonly EndpointChain[];
}

/** The chain of one endpoint, to be built when it has to be written. */
export interface EndpointChain {
  readonly name: string;
  readonly build: () => Chain;
}

/** Builds the rules of one ServicePort as kube-proxy writes them. */
export function buildServiceRules(selected: SelectedPort, context: RuleContext): ServiceRules {
  const plan = planPort(selected);
  return {
    dispatch: buildDispatchRules(plan),
    chains: buildChains(plan, context),
    endpointChains: selected.endpoints.reachable.map((endpoint) => planEndpoint(selected, endpoint, context)),
  };
}

function planEndpoint({ port }: SelectedPort, endpoint: Endpoint, context: RuleContext): EndpointChain {
  const name = endpointChain(port, endpoint.address);
  return { name, build: () => buildEndpointChain({ port, endpoint, name, context }) };
}

function buildChains(plan: PortPlan, context: RuleContext): Chain[] {
  const { selected, chains } = plan;
  const { endpoints, port } = selected;
  const built: Chain[] = [];
  if (plan.usesExternalChain) built.push(buildExternalChain(plan, context));
  if (plan.usesFirewallChain) built.push(buildFirewallChain(plan, context));
  for (const policy of ['cluster', 'local'] as const) {
    if (endpoints[policy].length === 0) continue;
    const name = chains[policy];
    const entry = name === plan.internalChain ? buildInternalRules(plan, context) : [];
    const rules = buildEndpointRules({ port, endpoints: endpoints[policy], context });
    built.push({ name, rules: [...entry, ...rules] });
  }
  return built;
}

// Traffic from off the cluster to a cluster IP may leave this node again, so it must come back through it.
function buildInternalRules(plan: PortPlan, { node }: RuleContext): Rule[] {
  const { port } = plan.selected;
  const outsider = ifNotLocal(node.localDetector);
  if (plan.internalChain === undefined || (outsider === undefined && !node.masqueradeAll)) return [];
  const matches = toAddress(port, port.clusterIP, comment(`${port.text} cluster IP`));
  return [{ matches: node.masqueradeAll ? matches : inOrder([...outsider!, ...matches]), target: MASQUERADE }];
}
