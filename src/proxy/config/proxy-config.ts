import type { Balancing } from '../facts/service-port.ts';

/** How rules are written. */
export type RulesMode = 'iptables' | 'nftables';

/** `none`: the sockets of userspace mode listen on the addresses of Services themselves. */
export type PortalRules = RulesMode | 'none';

/** `userspace`: the proxy carries the traffic itself; kube-proxy had this mode until 1.25. */
export type ProxyMode = RulesMode | 'userspace';

export type DetectLocalMode = 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';

/** Connection tracking settings that a proxy makes at start; undefined leaves the kernel's value. Times in seconds. */
export interface ConntrackConfig {
  readonly maxPerCore: number;
  readonly min: number;
  readonly tcpEstablishedTimeout: number | undefined;
  readonly tcpCloseWaitTimeout: number | undefined;
  readonly tcpBeLiberal: boolean;
  readonly udpTimeout: number | undefined;
  readonly udpStreamTimeout: number | undefined;
}

/** Settings of one proxy: what KubeProxyConfiguration says, with its defaults filled in. */
export interface ProxyConfig {
  readonly mode: ProxyMode;
  readonly hostnameOverride: string;
  readonly bindAddress: string;
  /** `ip:port`; '' opens no server. */
  readonly healthzBindAddress: string;
  readonly metricsBindAddress: string;
  readonly detectLocalMode: DetectLocalMode;
  readonly bridgeInterface: string;
  readonly interfaceNamePrefix: string;
  /** At most one per family. */
  readonly clusterCIDRs: readonly string[];
  /** Prefixes, or the word `primary`. */
  readonly nodePortAddresses: readonly string[];
  readonly masqueradeAll: boolean;
  readonly masqueradeBit: number;
  readonly localhostNodePorts: boolean;
  readonly syncPeriodMs: number;
  /**
   * Least time between two syncs, with a burst of two. Undefined: a change is written at once, and the next one not before
   * the proxy has rested as long as the last sync took.
   */
  readonly minSyncPeriodMs: number | undefined;
  readonly conntrack: ConntrackConfig;
  /** Of a proxy on a host: how likely the kernel is to end it when memory is short, -1000 (never) to 1000. */
  readonly oomScoreAdj: number;
  readonly featureGates: Readonly<Record<string, boolean>>;
  /** Not in KubeProxyConfiguration: which rules lead to the sockets of userspace mode. */
  readonly portalRules: PortalRules;
  /** Not in KubeProxyConfiguration: for Services without annotation towtank.dev/balancing. */
  readonly balancing: Balancing;
}

/** kube-proxy's defaults, except that a change is written at once. */
export const DEFAULT_PROXY_CONFIG: ProxyConfig = {
  mode: 'iptables',
  hostnameOverride: '',
  bindAddress: '0.0.0.0',
  healthzBindAddress: '0.0.0.0:10256',
  metricsBindAddress: '127.0.0.1:10249',
  detectLocalMode: 'ClusterCIDR',
  bridgeInterface: '',
  interfaceNamePrefix: '',
  clusterCIDRs: [],
  nodePortAddresses: [],
  masqueradeAll: false,
  masqueradeBit: 14,
  localhostNodePorts: true,
  syncPeriodMs: 30_000,
  minSyncPeriodMs: undefined,
  conntrack: {
    maxPerCore: 32_768,
    min: 131_072,
    tcpEstablishedTimeout: 86_400,
    tcpCloseWaitTimeout: 3600,
    tcpBeLiberal: false,
    udpTimeout: undefined,
    udpStreamTimeout: undefined,
  },
  oomScoreAdj: -999,
  featureGates: {},
  portalRules: 'nftables',
  balancing: 'random',
};

/** How the rules of a proxy are written. Without rules node facts are those of nftables mode. */
export function rulesModeOf({ mode, portalRules }: Pick<ProxyConfig, 'mode' | 'portalRules'>): RulesMode {
  if (mode !== 'userspace') return mode;
  return portalRules === 'none' ? 'nftables' : portalRules;
}
