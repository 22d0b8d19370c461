import { familyLabels } from '../metrics/proxy-metrics.ts';
import { type Labels, Registry } from '../metrics/registry.ts';
import { addCounters, COUNTER, type Counters, LATENCY_BUCKETS } from './counters.ts';
import type { ListenerCounters } from './transport.ts';

const REASONS = {
  'attempt-failed': COUNTER.failedAttempts,
  unreachable: COUNTER.unreachable,
  'reset-by-client': COUNTER.resetByClient,
  'reset-by-endpoint': COUNTER.resetByEndpoint,
  idle: COUNTER.idle,
  drained: COUNTER.drained,
  'no-descriptor': COUNTER.exhausted,
} as const;

/** Prometheus' text of what listeners carried, a series for each ServicePort and family. */
export function printCounters(all: readonly ListenerCounters[]): string {
  const registry = new Registry();
  const write = writerOf(registry);
  const groups = Map.groupBy(all, ({ listener }) => `${listener.family} ${listener.key}`);
  for (const key of [...groups.keys()].sort()) {
    const group = groups.get(key)!;
    const { listener } = group[0]!;
    const { service, protocol, family } = listener;
    write(addCounters(group.map(({ counters }) => counters)), { service, protocol, ...familyLabels(family) });
  }
  return registry.text();
}

function writerOf(registry: Registry): (counters: Counters, labels: Labels) => void {
  const name = (rest: string): string => `towtank_userspace_${rest}`;
  const opened = registry.counter(name('connections_total'), 'TCP connections and UDP flows that were accepted');
  const open = registry.gauge(name('connections'), 'TCP connections and UDP flows that are open');
  const bytes = registry.counter(name('bytes_total'), 'Bytes carried: in is from clients to endpoints');
  const datagrams = registry.counter(name('datagrams_total'), 'UDP datagrams received: in is from clients');
  const errors = registry.counter(name('errors_total'), 'What went wrong with connections, by reason');
  const latency = registry.histogram(
    name('connect_duration_seconds'),
    'Time until an endpoint accepted',
    LATENCY_BUCKETS,
  );
  return (counters, labels) => {
    const at = (index: number): number => counters[index]!;
    opened.set(at(COUNTER.opened), labels);
    open.set(at(COUNTER.opened) - at(COUNTER.closed), labels);
    bytes.set(at(COUNTER.bytesIn), { ...labels, direction: 'in' });
    bytes.set(at(COUNTER.bytesOut), { ...labels, direction: 'out' });
    if (labels['protocol'] === 'udp') {
      datagrams.set(at(COUNTER.datagramsIn), { ...labels, direction: 'in' });
      datagrams.set(at(COUNTER.datagramsOut), { ...labels, direction: 'out' });
    }
    for (const [reason, index] of Object.entries(REASONS)) errors.set(at(index), { ...labels, reason });
    if (at(COUNTER.latencyCount) === 0) return;
    const counts = LATENCY_BUCKETS.map((_, index) => at(COUNTER.latency + index));
    latency.restore({ labels, counts, sum: at(COUNTER.latencySum), count: at(COUNTER.latencyCount) });
  };
}
