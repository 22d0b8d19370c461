/** towtank as a library: whole clusters in tests, with real packets. See docs/guides/library.md. */

export {
  Cluster,
  type CreateClusterOptions,
  createCluster,
  type ExecResult,
  findCluster,
  Place,
} from './cluster/cluster.ts';
export type { IPFamily, ProxyMode } from './cluster/config/cluster-config.ts';
export type {
  ApplyResult,
  ClusterStatus,
  DnsQueryAnswer,
  DnsQueryStep,
  FetchResponse,
} from './cluster/control/protocol.ts';
export { TowtankError, UserError } from './errors/towtank-error.ts';
