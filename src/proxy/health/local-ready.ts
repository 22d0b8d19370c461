import type { Family } from '../../netfilter/runner.ts';
import { isLocal } from '../facts/endpoint.ts';
import type { ServiceFacts } from '../facts/service-facts.ts';

/** Number of distinct addresses of ready endpoints that a Service has on a node, in one family. */
export function countLocalReady(
  facts: ServiceFacts,
  { family, service, nodeName }: { readonly family: Family; readonly service: string; readonly nodeName: string },
): number {
  const ips = new Set<string>();
  for (const endpoints of facts.endpointsOf(family, service).values()) {
    for (const endpoint of endpoints) if (endpoint.ready && isLocal(endpoint, nodeName)) ips.add(endpoint.ip);
  }
  return ips.size;
}

/** healthCheckNodePort of every Service that has one, by `namespace/name`. */
export function healthCheckPorts(facts: ServiceFacts, families: readonly Family[]): Map<string, number> {
  const ports = new Map<string, number>();
  for (const family of families) {
    for (const service of facts.healthChecked(family)) {
      const port = facts.portsOf(family, service)[0]?.healthCheckNodePort ?? 0;
      if (port !== 0) ports.set(service, port);
    }
  }
  return ports;
}
