import type { ProxyConfig } from '../config/proxy-config.ts';
import type { ProxyMetrics } from '../metrics/proxy-metrics.ts';
import { healthzResponse, livezResponse } from './health-responses.ts';
import type { HealthState } from './health-state.ts';
import { type Listen, type PlainResponse, serveHttp, splitHostPort } from './http-listener.ts';

export interface ProxyServersOptions {
  readonly config: ProxyConfig;
  readonly health: HealthState;
  readonly metrics: ProxyMetrics;
  readonly listen: Listen;
}

const EXPOSITION = 'text/plain; version=0.0.4; charset=utf-8';
const NOT_FOUND: PlainResponse = {
  status: 404,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: '404 page not found\n',
};

/** Opens the servers for health (/healthz, /livez) and metrics (/metrics, /metrics/slis, /healthz, /proxyMode, /configz) of one proxy. */
export function openProxyServers({ config, health, metrics, listen }: ProxyServersOptions): Disposable[] {
  const pages = {
    health: (path: string): PlainResponse => {
      if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
      const response = path === '/healthz' ? healthzResponse(health) : livezResponse(health);
      metrics.probed(path, response.status);
      return response;
    },
    metrics: (path: string): PlainResponse => {
      if (path === '/metrics') return text(metrics.text(), EXPOSITION);
      if (path === '/metrics/slis') return text(metrics.slis(), EXPOSITION);
      if (path === '/healthz') {
        metrics.pinged();
        return text('ok');
      }
      if (path === '/proxyMode') return text(config.mode);
      if (path === '/configz') return text(JSON.stringify({ 'kubeproxy.config.k8s.io': config }), 'application/json');
      return NOT_FOUND;
    },
  };
  const servers: Disposable[] = [];
  try {
    for (const [address, page] of [
      [config.healthzBindAddress, pages.health],
      [config.metricsBindAddress, pages.metrics],
    ] as const) {
      const where = splitHostPort(address);
      if (where === undefined) continue;
      servers.push(serveHttp(listen({ ...where, bothFamilies: true }), (request) => page(pathOf(request.url))));
    }
  } catch (error) {
    for (const server of servers) server[Symbol.dispose]();
    throw error;
  }
  return servers;
}

const pathOf = (url = '/'): string => url.split('?', 1)[0] ?? '/';

function text(body: string, type = 'text/plain; charset=utf-8'): PlainResponse {
  return { status: 200, headers: { 'content-type': type, 'x-content-type-options': 'nosniff' }, body };
}
