/** How pods of a node are connected: `ptp` routes each by itself, `bridge` puts those of a node on one bridge. */
export type PodAttachment = 'ptp' | 'bridge';

export interface FabricPlan {
  /** Name of the bridge in the sandbox's root namespace. */
  readonly name: string;
  /** Its addresses with prefix length; nodes use them as gateways: `172.18.0.1/16`, `fc00:f853:ccd:e793::1/64`. */
  readonly addresses: readonly string[];
  readonly cni: PodAttachment;
}

export interface NodePlan {
  /** Also the name of its network namespace. */
  readonly name: string;
  /** Addresses of eth0 with prefix length, at most one per family. */
  readonly addresses: readonly string[];
  /** Ranges of its pods, at most one per family. */
  readonly podCIDRs: readonly string[];
  /** Default: made from the first address. */
  readonly mac?: string;
}

export interface PodPlan {
  /** Name of its network namespace. */
  readonly name: string;
  /** Its addresses without prefix length, at most one per family. */
  readonly addresses: readonly string[];
}

export interface OutsideClientPlan {
  /** Name of its network namespace. */
  readonly name: string;
  /** Addresses of eth0 with prefix length. */
  readonly addresses: readonly string[];
}
