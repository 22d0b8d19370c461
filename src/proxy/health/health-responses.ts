import type { Family } from '../../netfilter/runner.ts';
import { familyLabels } from '../metrics/proxy-metrics.ts';
import type { HealthReport, HealthState } from './health-state.ts';

/** An HTTP answer as data. */
export interface HealthResponse {
  readonly status: 200 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const HEADERS = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' };

/** /healthz: the proxy keeps up and its node is to stay. */
export function healthzResponse(state: HealthState): HealthResponse {
  const report = state.health;
  return proxyResponse(report, { nodeEligible: report.nodeEligible }, state);
}

/** /livez: the proxy keeps up. */
export function livezResponse(state: HealthState): HealthResponse {
  return proxyResponse(state.live, {}, state);
}

function proxyResponse(report: HealthReport, extra: object, state: HealthState): HealthResponse {
  const status = Object.fromEntries(
    [...state.families].map(
      ([family, { lastUpdated, healthy }]: [Family, { lastUpdated: number; healthy: boolean }]) => [
        familyLabels(family).ip_family,
        { lastUpdated: rfc3339(lastUpdated), healthy },
      ],
    ),
  );
  const body = {
    lastUpdated: rfc3339(report.lastUpdated),
    currentTime: rfc3339(report.currentTime),
    ...extra,
    healthy: report.healthy,
    status,
  };
  return { status: report.healthy ? 200 : 503, headers: HEADERS, body: JSON.stringify(body) };
}

const rfc3339 = (ms: number): string => new Date(ms).toISOString();

/** What a load balancer that asks a healthCheckNodePort is told: whether to send traffic to this node, and how much. */
export function serviceHealthResponse(
  service: string,
  { localEndpoints, serviceProxyHealthy }: { readonly localEndpoints: number; readonly serviceProxyHealthy: boolean },
): HealthResponse {
  const [namespace = '', name = ''] = service.split('/');
  return {
    status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
    headers: { ...HEADERS, 'x-load-balancing-endpoint-weight': String(localEndpoints) },
    body: JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, undefined, '\t'),
  };
}
