import type { ResourceType } from '../kube/resources.ts';

/** The kinds that are served now. Those of CustomResourceDefinitions come and go. */
export interface ServedKinds {
  list(): readonly ResourceType[];
  /** Calls back after the list has changed. */
  onChange(listener: () => void): Disposable;
}

/** What the controllers know of the cluster besides its objects. Lists have one entry per family, primary family first. */
export interface ControllersConfig {
  readonly serviceCIDRs: readonly string[];
  /** Pod ranges, for nodes that come without podCIDR; none are handed out when empty. */
  readonly podCIDRs?: readonly string[] | undefined;
  /** Where LoadBalancer Services get their addresses from; without it they stay pending. */
  readonly loadBalancerCIDRs?: readonly string[] | undefined;
  /** Addresses of the API servers, as pods reach them: the endpoints of default/kubernetes. */
  readonly apiServer: readonly string[];
  /** Port of the API servers; default 6443. */
  readonly apiServerPort?: number | undefined;
  /** PEM of the cluster's CA, published in each namespace as kube-root-ca.crt. */
  readonly caCertificate: string;
  /** Kinds that the namespace controller empties and the garbage collector follows; default: the built-in ones. */
  readonly servedKinds?: ServedKinds | undefined;
  /** Only LoadBalancer Services of this class are served, and those without one; default `towtank.dev/load-balancer`. */
  readonly loadBalancerClass?: string | undefined;
  /** How load balancer addresses are entered: VIP (nodes take them) or Proxy (nodes leave them alone); default VIP. */
  readonly loadBalancerIPMode?: 'VIP' | 'Proxy' | undefined;
  /** A node that has not renewed its lease for this long is unreachable; default 40. */
  readonly nodeMonitorGraceSeconds?: number | undefined;
  /** Default 100. */
  readonly maxEndpointsPerSlice?: number | undefined;
  /** Changes of pods are gathered for this long before EndpointSlices are written; default 0. */
  readonly endpointBatchPeriodMs?: number | undefined;
}
