import { describe, expect, it } from 'vitest';
import { ProxyMetrics } from '../../../../src/proxy/metrics/proxy-metrics.ts';
import { Registry } from '../../../../src/proxy/metrics/registry.ts';

describe("Prometheus' text format", () => {
  it('has metrics by name, samples by label, buckets that add up', () => {
    const registry = new Registry();
    const histogram = registry.histogram('seconds', 'How long.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 3]) histogram.observe(value, { family: 'IPv4' });
    const counter = registry.counter('calls_total', 'How often.');
    counter.add(1, { code: '503' });
    counter.add(2, { code: '200' });
    registry.gauge('never_set', 'Nothing.');
    expect(registry.text()).toBe(
      [
        '# HELP calls_total How often.',
        '# TYPE calls_total counter',
        'calls_total{code="200"} 2',
        'calls_total{code="503"} 1',
        '# HELP seconds How long.',
        '# TYPE seconds histogram',
        'seconds_bucket{family="IPv4",le="0.1"} 2',
        'seconds_bucket{family="IPv4",le="1"} 3',
        'seconds_bucket{family="IPv4",le="+Inf"} 4',
        'seconds_sum{family="IPv4"} 3.65',
        'seconds_count{family="IPv4"} 4',
        '',
      ].join('\n'),
    );
  });

  it('escapes label values', () => {
    const registry = new Registry();
    registry.gauge('g', 'G.').set(1, { text: 'a"b\\c\nd' });
    expect(registry.text()).toContain('g{text="a\\"b\\\\c\\nd"} 1');
  });
});

describe("a proxy's metrics", () => {
  it('have the names and labels of kube-proxy', () => {
    const metrics = new ProxyMetrics('iptables', ['ipv4']);
    metrics.queued('ipv4', 'service', { at: 1000 });
    metrics.pending('ipv4', { services: 1, endpoints: 0 });
    const rules = { filter: { total: 1, written: 2 }, nat: { total: 3, written: 4 } };
    metrics.synced('ipv4', { kind: 'full', quarantined: [], rules }, { seconds: 0.01, at: 5000 });
    metrics.synced('ipv4', { kind: 'partial', quarantined: [], rules }, { seconds: 0.02, at: 6000 });
    metrics.programmed('ipv4', 0.3);
    metrics.failed('ipv4');
    metrics.reconciled('ipv4', 3, 0.001);
    metrics.probed('/healthz', 200);
    metrics.countNoLocalEndpoints('ipv4', []);
    const text = metrics.text();
    for (const line of [
      'kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family="IPv4"} 2',
      'kubeproxy_sync_full_proxy_rules_duration_seconds_count{ip_family="IPv4"} 1',
      'kubeproxy_sync_partial_proxy_rules_duration_seconds_count{ip_family="IPv4"} 1',
      'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 6',
      'kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"} 1',
      'kubeproxy_sync_proxy_rules_service_changes_pending{ip_family="IPv4"} 1',
      'kubeproxy_sync_proxy_rules_service_changes_total{ip_family="IPv4"} 1',
      'kubeproxy_sync_proxy_rules_iptables_total{table="nat",ip_family="IPv4"} 3',
      'kubeproxy_sync_proxy_rules_iptables_last{table="filter",ip_family="IPv4"} 2',
      'kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 1',
      'kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total{ip_family="IPv4"} 0',
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal",ip_family="IPv4"} 0',
      'kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv4",le="0.5"} 1',
      'kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} 3',
      'kubeproxy_proxy_healthz_total{code="200"} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).not.toContain('nftables');
  });

  it('tell of health checks as service level indicators', () => {
    const metrics = new ProxyMetrics('iptables', ['ipv4']);
    expect(metrics.slis()).toBe('');
    metrics.pinged();
    metrics.pinged();
    expect(metrics.slis().split('\n')).toEqual(
      expect.arrayContaining([
        'kubernetes_healthcheck{name="ping",type="healthz"} 1',
        'kubernetes_healthchecks_total{name="ping",status="success",type="healthz"} 2',
      ]),
    );
  });

  it('of nftables mode count its failures instead', () => {
    const metrics = new ProxyMetrics('nftables', ['ipv6']);
    const text = metrics.text();
    expect(text).toContain('kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv6"} 0');
    expect(text).toContain('kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total{ip_family="IPv6"} 0');
    expect(text).not.toContain('iptables');
    const report = { kind: 'partial', quarantined: [], rules: {}, cleanupFailure: new Error('busy') } as const;
    metrics.synced('ipv6', report, { seconds: 0.01, at: 5000 });
    expect(metrics.text()).toContain('nftables_cleanup_failures_total{ip_family="IPv6"} 1');
  });
});
