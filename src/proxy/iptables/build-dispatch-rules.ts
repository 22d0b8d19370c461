import type { Match, Target } from '../../netfilter/iptables/rule.ts';
import { EXTERNAL_SERVICES, NODE_PORTS, PROXY_FIREWALL, SERVICES } from './chain-names.ts';
import { comment, toAddress, toPort } from './phrases.ts';
import type { PortPlan } from './plan-port.ts';
import type { DispatchRule } from './rule-context.ts';

const LOCAL_DESTINATION: Match = { kind: 'address-type', side: 'destination', type: 'LOCAL' };

/** The rules of a ServicePort in the shared chains: where its addresses and ports lead. */
export function buildDispatchRules(plan: PortPlan): DispatchRule[] {
  return [
    clusterIPRule(plan),
    ...externalIPRules(plan),
    ...loadBalancerRules(plan),
    ...nodePortRules(plan),
    ...healthCheckRules(plan),
  ];
}

function clusterIPRule(plan: PortPlan): DispatchRule {
  const { port } = plan.selected;
  if (plan.internalChain === undefined) {
    const { why, target } = refusal(plan);
    return { table: 'filter', chain: SERVICES, rule: { matches: toAddress(port, port.clusterIP, why), target } };
  }
  const matches = toAddress(port, port.clusterIP, comment(`${port.text} cluster IP`));
  return { table: 'nat', chain: SERVICES, rule: { matches, target: { kind: 'jump', chain: plan.internalChain } } };
}

function externalIPRules(plan: PortPlan): DispatchRule[] {
  const { port, endpoints } = plan.selected;
  return port.externalIPs.flatMap((ip) => {
    const matches = toAddress(port, ip, comment(`${port.text} external IP`));
    const target: Target = { kind: 'jump', chain: plan.chains.external };
    const forward: DispatchRule[] = endpoints.hasAny
      ? [{ table: 'nat', chain: SERVICES, rule: { matches, target } }]
      : [];
    return [...forward, ...refuseAddress(plan, ip)];
  });
}

function loadBalancerRules(plan: PortPlan): DispatchRule[] {
  const { port, endpoints } = plan.selected;
  const chain = plan.usesFirewallChain ? plan.chains.firewall : plan.chains.external;
  const rules = port.loadBalancerVIPs.flatMap((ip): DispatchRule[] => {
    const matches = toAddress(port, ip, comment(`${port.text} loadbalancer IP`));
    const unwanted = toAddress(port, ip, comment(`${port.text} traffic not accepted by ${plan.chains.firewall}`));
    return [
      ...(endpoints.hasAny ? [nat(SERVICES, matches, chain)] : []),
      ...(plan.usesFirewallChain ? [filter(PROXY_FIREWALL, unwanted, { kind: 'drop' })] : []),
    ];
  });
  return [...rules, ...port.loadBalancerVIPs.flatMap((ip) => refuseAddress(plan, ip))];
}

function nodePortRules(plan: PortPlan): DispatchRule[] {
  const { port, endpoints } = plan.selected;
  if (port.nodePort === 0) return [];
  const rules: DispatchRule[] = [];
  if (endpoints.hasAny) {
    rules.push(nat(NODE_PORTS, toPort(port.protocol, port.nodePort, comment(port.text)), plan.chains.external));
  }
  if (plan.externalPolicyChain === undefined) {
    const { why, target } = refusal(plan);
    rules.push(filter(EXTERNAL_SERVICES, toPort(port.protocol, port.nodePort, why, LOCAL_DESTINATION), target));
  }
  return rules;
}

// Whether or not an endpoint is here, load balancers must be able to ask.
function healthCheckRules({ selected: { port } }: PortPlan): DispatchRule[] {
  if (port.healthCheckNodePort === 0) return [];
  const matches = toPort('tcp', port.healthCheckNodePort, comment(`${port.text} health check node port`));
  return [filter(NODE_PORTS, matches, { kind: 'accept' })];
}

function refuseAddress(plan: PortPlan, ip: string): DispatchRule[] {
  if (plan.externalPolicyChain !== undefined) return [];
  const { why, target } = refusal(plan);
  return [filter(EXTERNAL_SERVICES, toAddress(plan.selected.port, ip, why), target)];
}

// Nothing anywhere: say so at once. Something elsewhere: stay silent, the client may retry through another node.
function refusal({ selected: { port, endpoints } }: PortPlan): { readonly why: Match; readonly target: Target } {
  return endpoints.hasAny
    ? { why: comment(`${port.text} has no local endpoints`), target: { kind: 'drop' } }
    : {
        why: comment(`${port.text} has no endpoints`),
        target: { kind: 'reject', with: port.family === 'ipv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable' },
      };
}

function nat(chain: string, matches: readonly Match[], to: string): DispatchRule {
  return { table: 'nat', chain, rule: { matches, target: { kind: 'jump', chain: to } } };
}

function filter(chain: string, matches: readonly Match[], target: Target): DispatchRule {
  return { table: 'filter', chain, rule: { matches, target } };
}
