import { expect, it } from 'vitest';
import { COUNTER, createCounters, observeLatency } from '../../../../src/proxy/userspace/counters.ts';
import type { Listener } from '../../../../src/proxy/userspace/listener.ts';
import { printCounters } from '../../../../src/proxy/userspace/print-counters.ts';

function listenerOf(options: Partial<Listener>): Listener {
  return {
    id: 'a',
    node: 'node-1',
    family: 'ipv4',
    protocol: 'tcp',
    key: 'default/web:http/TCP',
    service: 'default/web:http',
    destination: { host: '10.96.0.10', port: 80 },
    policy: { targets: [], balancing: 'random', affinitySeconds: 0, proxyProtocol: false },
    ...options,
  };
}

it('sums the listeners of a ServicePort', () => {
  const counters = [createCounters(), createCounters()];
  counters[0]![COUNTER.opened] = 3;
  counters[1]![COUNTER.opened] = 4;
  counters[1]![COUNTER.closed] = 2;
  counters[0]![COUNTER.bytesOut] = 1000;
  observeLatency(counters[0]!, 0.0002);
  observeLatency(counters[1]!, 5);
  const text = printCounters(counters.map((each) => ({ listener: listenerOf({}), counters: each })));
  const labels = 'service="default/web:http",protocol="tcp",ip_family="IPv4"';
  expect(text).toContain(`towtank_userspace_connections_total{${labels}} 7\n`);
  expect(text).toContain(`towtank_userspace_connections{${labels}} 5\n`);
  expect(text).toContain(`towtank_userspace_bytes_total{${labels},direction="out"} 1000\n`);
  expect(text).toContain(`towtank_userspace_connect_duration_seconds_bucket{${labels},le="0.00025"} 1\n`);
  expect(text).toContain(`towtank_userspace_connect_duration_seconds_count{${labels}} 2\n`);
  expect(text).not.toContain('datagrams');
});

it('says nothing without listeners', () => {
  expect(printCounters([])).toBe('');
});
