import type { Service } from './generated/types.ts';

/** One thing of which a cluster has only one, held by one Service. */
export type ServiceClaim =
  | {
      readonly type: 'clusterIP';
      /** Canonical text of an IPv4 or IPv6 address. */
      readonly address: string;
    }
  | {
      readonly type: 'nodePort';
      readonly port: number;
      /** A health check node port is claimed as TCP. */
      readonly protocol: 'TCP' | 'UDP' | 'SCTP';
    };

export interface ServiceAllocation {
  /** Defaulted, not yet completed; a clusterIP, clusterIPs or nodePort that stands in it is a wish to be honoured. */
  readonly service: Service;
  /** The stored version when this is an update: what it holds stays with it. */
  readonly previous: Service | undefined;
  /** False when another Service holds the claim. Synchronous and cheap. */
  readonly isFree: (claim: ServiceClaim) => boolean;
}

/**
 * Chooses cluster IPs and node ports. It keeps no state: the API server writes a Service and its claims in one
 * transaction of the store, releases them in the one that deletes it, and asks again when another server was quicker.
 */
export interface ServiceAllocator {
  /**
   * Returns the Service with ipFamilies, ipFamilyPolicy, clusterIP, clusterIPs, nodePorts and healthCheckNodePort as the
   * real server completes them, or without those its type no longer has. Throws ApiStatusError Invalid (422) with the
   * real server's causes: `provided IP is already allocated`, `provided port is already allocated`, not in the range.
   */
  allocate(allocation: ServiceAllocation): Service;
  /** Everything that a stored Service holds. */
  claims(service: Service): readonly ServiceClaim[];
}
