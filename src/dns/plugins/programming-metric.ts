import type { ClusterState, ServiceEntry } from '../zone/cluster-state.ts';
import type { PluginEnvironment } from './plugin.ts';

const BOUNDS = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

/** Measures how long changes of endpoints took to be answered from: coredns_kubernetes_dns_programming_duration_seconds. */
export function observeProgramming(state: ClusterState, { metrics, clock }: PluginEnvironment): Disposable {
  const duration = metrics.histogram(
    'coredns_kubernetes_dns_programming_duration_seconds',
    'Histogram of the time (in seconds) it took to program a dns instance.',
    { labels: ['service_kind'], bounds: BOUNDS },
  );
  return state.observe({
    serviceChanged: () => undefined,
    addressChanged: () => undefined,
    namespaceChanged: () => undefined,
    programmed: (entry: ServiceEntry, triggeredAt: number) => {
      if (entry.facts === undefined) return;
      const kind = entry.facts.headless ? 'headless_with_selector' : 'cluster_ip';
      duration.with(kind).observe((clock.now() - triggeredAt) / 1000);
    },
  });
}
