import type { Family } from '../../netfilter/runner.ts';
import type { Balancing } from './service-port.ts';

/** How a proxy recognises traffic of pods: kube-proxy's detect-local modes. */
export type LocalDetector =
  | { readonly kind: 'none' }
  /** Source address lies in the cluster's or the node's pod CIDR. */
  | { readonly kind: 'cidr'; readonly cidr: string }
  /** Comes in through this interface. */
  | { readonly kind: 'interface'; readonly name: string }
  /** Comes in through an interface whose name starts so. */
  | { readonly kind: 'interface-prefix'; readonly prefix: string };

/** On which local addresses node ports answer. */
export type NodePortAddresses =
  | { readonly kind: 'all' }
  /** These addresses only; may be empty. */
  | { readonly kind: 'list'; readonly addresses: readonly string[] };

/** What the rules of one node depend on besides the Services, in one IP family. A change of it means a full sync. */
export interface NodeNetwork {
  readonly nodeName: string;
  readonly family: Family;
  /** Primary address of this family; loopback when the node has none. */
  readonly nodeIP: string;
  /** Value of label topology.kubernetes.io/zone, '' without it. */
  readonly zone: string;
  readonly nodePortAddresses: NodePortAddresses;
  readonly localDetector: LocalDetector;
  readonly masqueradeAll: boolean;
  /** The fwmark bit as a number: 1 << iptablesMasqueradeBit. */
  readonly masqueradeMark: number;
  /** IPv4 iptables mode only: node ports answer on 127.0.0.0/8 too. */
  readonly localhostNodePorts: boolean;
  /** For ServicePorts that do not choose. */
  readonly balancing: Balancing;
  /** Known service CIDRs of this family; nftables mode drops unallocated addresses in them. */
  readonly serviceCIDRs: readonly string[];
  /** Gate ServiceTrafficDistribution: hints count without annotation. On in Kubernetes since 1.31. */
  readonly serviceTrafficDistribution: boolean;
  /** Gate PreferSameTrafficDistribution: node hints count. On in Kubernetes since 1.34. */
  readonly preferSameTrafficDistribution: boolean;
}
