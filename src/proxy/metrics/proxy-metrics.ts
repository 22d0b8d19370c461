import type { Family } from '../../netfilter/runner.ts';
import type { ProxyMode } from '../config/proxy-config.ts';
import { externalEndpoints, internalEndpoints, type SelectedPort } from '../facts/select-endpoints.ts';
import type { SyncReport } from '../proxy-backend.ts';
import { Registry } from './registry.ts';

const SYNC_BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index);
const PROGRAMMING_BUCKETS = [0.25, 0.5, ...linear(1, 1, 59), ...linear(60, 5, 12), ...linear(120, 30, 7)];

function linear(start: number, width: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => start + width * index);
}

/** kube-proxy's metrics (names of 1.33, with label ip_family). Durations are in seconds. */
export class ProxyMetrics {
  readonly #registry = new Registry();
  readonly #sync = this.#durations('sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds');
  readonly #syncFull = this.#durations(
    'sync_full_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds for full resyncs',
  );
  readonly #syncPartial = this.#durations(
    'sync_partial_proxy_rules_duration_seconds',
    'SyncProxyRules latency in seconds for partial resyncs',
  );
  readonly #programming = this.#registry.histogram(
    'kubeproxy_network_programming_duration_seconds',
    'In Cluster Network Programming Latency in seconds',
    PROGRAMMING_BUCKETS,
  );
  readonly #conntrack = this.#durations(
    'conntrack_reconciler_sync_duration_seconds',
    'ReconcileConntrackFlowsLatency latency in seconds',
  );
  readonly #lastSync = this.#gauge(
    'sync_proxy_rules_last_timestamp_seconds',
    'The last time proxy rules were successfully synced',
  );
  readonly #lastQueued = this.#gauge(
    'sync_proxy_rules_last_queued_timestamp_seconds',
    'The last time a sync of proxy rules was queued',
  );
  readonly #endpointChangesPending = this.#gauge(
    'sync_proxy_rules_endpoint_changes_pending',
    'Pending proxy rules Endpoint changes',
  );
  readonly #endpointChangesTotal = this.#counter(
    'sync_proxy_rules_endpoint_changes_total',
    'Cumulative proxy rules Endpoint changes',
  );
  readonly #serviceChangesPending = this.#gauge(
    'sync_proxy_rules_service_changes_pending',
    'Pending proxy rules Service changes',
  );
  readonly #serviceChangesTotal = this.#counter(
    'sync_proxy_rules_service_changes_total',
    'Cumulative proxy rules Service changes',
  );
  readonly #healthz = this.#counter('proxy_healthz_total', 'Cumulative proxy healthz HTTP status');
  readonly #livez = this.#counter('proxy_livez_total', 'Cumulative proxy livez HTTP status');
  readonly #noLocalEndpoints = this.#gauge(
    'sync_proxy_rules_no_local_endpoints_total',
    'Number of services with a Local traffic policy and no endpoints',
  );
  readonly #deletedFlows = this.#counter(
    'conntrack_reconciler_deleted_entries_total',
    'Cumulative conntrack flows deleted by conntrack reconciler',
  );
  readonly #rulesTotal = this.#gauge(
    'sync_proxy_rules_iptables_total',
    'Total number of iptables rules owned by kube-proxy',
  );
  readonly #rulesLast = this.#gauge(
    'sync_proxy_rules_iptables_last',
    'Number of iptables rules written by kube-proxy in last sync',
  );
  readonly #failures: ReturnType<Registry['counter']>;
  readonly #partialFailures = this.#counter(
    'sync_proxy_rules_iptables_partial_restore_failures_total',
    'Cumulative proxy iptables partial restore failures',
  );
  readonly #cleanupFailures = this.#counter(
    'sync_proxy_rules_nftables_cleanup_failures_total',
    'Cumulative proxy nftables cleanup failures',
  );
  readonly #slis = new Registry();
  readonly #ping = this.#slis.gauge(
    'kubernetes_healthcheck',
    '[STABLE] This metric records the result of a single healthcheck.',
  );
  readonly #pings = this.#slis.counter(
    'kubernetes_healthchecks_total',
    '[STABLE] This metric records the results of all healthcheck.',
  );
  readonly #mode: ProxyMode;
  readonly #more: () => string;

  /** `more` is text of metrics that are kept elsewhere. */
  constructor(mode: ProxyMode, families: readonly Family[], more: () => string = () => '') {
    this.#mode = mode;
    this.#more = more;
    this.#failures =
      mode === 'iptables'
        ? this.#counter(
            'sync_proxy_rules_iptables_restore_failures_total',
            'Cumulative proxy iptables restore failures',
          )
        : this.#counter('sync_proxy_rules_nftables_sync_failures_total', 'Cumulative proxy nftables sync failures');
    for (const family of families) {
      const labels = familyLabels(family);
      this.#failures.add(0, labels);
      (mode === 'iptables' ? this.#partialFailures : this.#cleanupFailures).add(0, labels);
    }
  }

  /** Prometheus' text format. */
  text(): string {
    return this.#registry.text() + this.#more();
  }

  /** A sync that succeeded. */
  synced(family: Family, report: SyncReport, { seconds, at }: { readonly seconds: number; readonly at: number }): void {
    const labels = familyLabels(family);
    this.#lastSync.set(at / 1000, labels);
    this.#sync.observe(seconds, labels);
    if (report.kind !== 'nothing')
      (report.kind === 'full' ? this.#syncFull : this.#syncPartial).observe(seconds, labels);
    if (report.cleanupFailure !== undefined) this.#cleanupFailures.add(1, labels);
    if (this.#mode !== 'iptables') return;
    if (report.recoveredFrom !== undefined) {
      (report.recoveredFrom.attempt === 'partial' ? this.#partialFailures : this.#failures).add(1, labels);
    }
    for (const [table, { total, written }] of Object.entries(report.rules)) {
      this.#rulesTotal.set(total, { table, ...labels });
      this.#rulesLast.set(written, { table, ...labels });
    }
  }

  /** Changes were accepted, at this time in milliseconds. */
  queued(
    family: Family,
    kind: 'service' | 'endpoints',
    { at, count = 1 }: { readonly at: number; readonly count?: number },
  ): void {
    const labels = familyLabels(family);
    this.#lastQueued.set(at / 1000, labels);
    (kind === 'service' ? this.#serviceChangesTotal : this.#endpointChangesTotal).add(count, labels);
  }

  /** Services with changes that are not written yet. */
  pending(family: Family, { services, endpoints }: { readonly services: number; readonly endpoints: number }): void {
    this.#serviceChangesPending.set(services, familyLabels(family));
    this.#endpointChangesPending.set(endpoints, familyLabels(family));
  }

  /** A sync that was refused. */
  failed(family: Family): void {
    this.#failures.add(1, familyLabels(family));
  }

  /** From the time a change began until its rules are in the kernel. */
  programmed(family: Family, seconds: number): void {
    this.#programming.observe(seconds, familyLabels(family));
  }

  /** One run of the conntrack reconciler. */
  reconciled(family: Family, deleted: number, seconds: number): void {
    this.#conntrack.observe(seconds, familyLabels(family));
    this.#deletedFlows.add(deleted, familyLabels(family));
  }

  /** A probe of /healthz or /livez. */
  probed(path: '/healthz' | '/livez', status: number): void {
    (path === '/healthz' ? this.#healthz : this.#livez).add(1, { code: String(status) });
  }

  /** A request for /healthz beside the metrics, which answers as long as anybody can. */
  pinged(): void {
    this.#ping.set(1, { name: 'ping', type: 'healthz' });
    this.#pings.add(1, { name: 'ping', status: 'success', type: 'healthz' });
  }

  /** What /metrics/slis tells: how often the health check beside the metrics was asked, and its last answer. */
  slis(): string {
    return this.#slis.text();
  }

  /** Counts ServicePorts whose policy Local finds nothing on this node although endpoints exist. */
  countNoLocalEndpoints(family: Family, ports: Iterable<SelectedPort>): void {
    const counts = countNoLocalEndpoints(ports);
    for (const policy of ['internal', 'external'] as const) {
      this.#noLocalEndpoints.set(counts[policy], { traffic_policy: policy, ...familyLabels(family) });
    }
  }

  #gauge(name: string, help: string): ReturnType<Registry['gauge']> {
    return this.#registry.gauge(`kubeproxy_${name}`, `[ALPHA] ${help}`);
  }

  #counter(name: string, help: string): ReturnType<Registry['counter']> {
    return this.#registry.counter(`kubeproxy_${name}`, `[ALPHA] ${help}`);
  }

  #durations(name: string, help: string): ReturnType<Registry['histogram']> {
    return this.#registry.histogram(`kubeproxy_${name}`, `[ALPHA] ${help}`, SYNC_BUCKETS);
  }
}

/** How many ServicePorts with policy Local have endpoints, but none here. */
export function countNoLocalEndpoints(ports: Iterable<SelectedPort>): {
  readonly internal: number;
  readonly external: number;
} {
  let internal = 0;
  let external = 0;
  for (const selected of ports) {
    if (!selected.port.usesLocalEndpoints || !selected.endpoints.hasAny) continue;
    if (internalEndpoints(selected).length === 0) internal++;
    if (externalEndpoints(selected).length === 0) external++;
  }
  return { internal, external };
}

const labelsOf = {
  ipv4: Object.freeze({ ip_family: 'IPv4' }),
  ipv6: Object.freeze({ ip_family: 'IPv6' }),
} as const;

/** `ip_family` as kube-proxy spells it. */
export function familyLabels(family: Family): { readonly ip_family: 'IPv4' | 'IPv6' } {
  return labelsOf[family];
}
