import type { PortalRules } from '../../proxy/config/proxy-config.ts';
import type { TransportLimits } from '../../proxy/userspace/transport.ts';
import type { StoreConfig } from './store-config.ts';

/** How a node's kube-proxy works. */
export const PROXY_MODES = ['iptables', 'nftables', 'userspace'] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];
export const BALANCINGS = ['random', 'round-robin'] as const;
export type Balancing = (typeof BALANCINGS)[number];
export type IPFamily = 'IPv4' | 'IPv6';

export interface NodeConfig {
  readonly name: string;
  readonly proxyMode: ProxyMode;
  /** Label topology.kubernetes.io/zone; no label when undefined. */
  readonly zone?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** How userspace mode works on all nodes that have it. */
export interface UserspaceConfig {
  readonly portalRules: PortalRules;
  readonly limits: Partial<Pick<TransportLimits, 'idleMs' | 'udpIdleMs' | 'drainMs'>>;
}

/** A cluster as the user wants it, complete: every default is filled in. Kind Cluster of towtank.dev/v1alpha1. */
export interface ClusterConfig {
  readonly name: string;
  readonly nodes: readonly NodeConfig[];
  readonly network: {
    /** ptp: a routed /32 per pod; bridge: one bridge per node, as the bridge CNI plugin does. */
    readonly cni: 'ptp' | 'bridge';
    /** The first is the primary family. */
    readonly ipFamilies: readonly IPFamily[];
    readonly nodeCIDRs: Readonly<Record<IPFamily, string>>;
    readonly podCIDRs: Readonly<Record<IPFamily, string>>;
    readonly serviceCIDRs: Readonly<Record<IPFamily, string>>;
    /** Where addresses of LoadBalancer Services come from; inside nodeCIDRs. */
    readonly loadBalancerCIDRs: Readonly<Record<IPFamily, string>>;
  };
  readonly proxy: {
    readonly balancing: Balancing;
    readonly iptablesBackend: 'auto' | 'nft' | 'legacy';
    /** Somebody asked for the nodes' proxy modes; without it a tier that has but one takes that. */
    readonly isModeChosen?: true;
    /** Of nodes in userspace mode; undefined: nftables rules and DEFAULT_LIMITS. */
    readonly userspace?: UserspaceConfig | undefined;
  };
  readonly dns: {
    readonly replicas: number;
    readonly domain: string;
    /** A cache on every node, which pods ask instead of kube-dns. */
    readonly nodeLocalDNS: boolean;
  };
  /** Port on 127.0.0.1 of the host; 0 lets the kernel choose. */
  readonly api: { readonly port: number };
  /** Undefined: a file of the state folder for a cluster that outlives its command, memory for all others. */
  readonly store?: StoreConfig | undefined;
}

export const API_VERSION = 'towtank.dev/v1alpha1';
export const MAX_NODES = 250;

export const NETWORK_DEFAULTS: ClusterConfig['network'] = {
  cni: 'ptp',
  ipFamilies: ['IPv4', 'IPv6'],
  // The ranges that kind uses, so that what people know from there reads the same here.
  nodeCIDRs: { IPv4: '172.18.0.0/16', IPv6: 'fc00:f853:ccd:e793::/64' },
  podCIDRs: { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/56' },
  serviceCIDRs: { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' },
  loadBalancerCIDRs: { IPv4: '172.18.255.0/24', IPv6: 'fc00:f853:ccd:e793:ffff::/112' },
};
