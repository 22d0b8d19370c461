import type { SelectedPort } from '../facts/select-endpoints.ts';

/** Above this many endpoints of all ServicePorts together, rules lose their comments, as kube-proxy's do. */
export const LARGE_CLUSTER_ENDPOINTS = 1000;

/** True above LARGE_CLUSTER_ENDPOINTS. */
export function isLargeCluster(ports: Iterable<SelectedPort>): boolean {
  let total = 0;
  for (const { endpoints } of ports) total += endpoints.total;
  return total > LARGE_CLUSTER_ENDPOINTS;
}
