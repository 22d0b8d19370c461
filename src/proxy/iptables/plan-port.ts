import { externalEndpoints, internalEndpoints, type SelectedPort } from '../facts/select-endpoints.ts';
import { type ServiceChains, serviceChains } from './chain-names.ts';

/** Which chains a ServicePort needs, and where its traffic goes. */
export interface PortPlan {
  readonly selected: SelectedPort;
  readonly chains: ServiceChains;
  /** Chain for traffic to the cluster IP; undefined when there is no endpoint for it. */
  readonly internalChain: string | undefined;
  /** Chain for traffic from outside, behind the external chain; undefined when there is no endpoint for it. */
  readonly externalPolicyChain: string | undefined;
  /** The external chain exists even without endpoints here: pods and the node itself may still use those elsewhere. */
  readonly usesExternalChain: boolean;
  readonly usesFirewallChain: boolean;
}

/** Decides the chains of a ServicePort from its policies and endpoints. */
export function planPort(selected: SelectedPort): PortPlan {
  const { port, endpoints } = selected;
  const chains = serviceChains(port);
  const chainOf = (local: boolean): string => (local ? chains.local : chains.cluster);
  const usesExternalChain = endpoints.hasAny && port.externallyAccessible;
  return {
    selected,
    chains,
    internalChain: internalEndpoints(selected).length > 0 ? chainOf(port.internalPolicyLocal) : undefined,
    externalPolicyChain: externalEndpoints(selected).length > 0 ? chainOf(port.externalPolicyLocal) : undefined,
    usesExternalChain,
    usesFirewallChain: endpoints.hasAny && port.loadBalancerVIPs.length > 0 && port.loadBalancerSourceRanges.length > 0,
  };
}
