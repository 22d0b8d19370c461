import { performance } from 'node:perf_hooks';
import { getOrInsert } from '../get-or-insert.ts';
import { printRcode } from '../wire/rcode.ts';
import { printRecordType, RecordType } from '../wire/record-type.ts';
import type { Cell, Histogram, HistogramCell, Metric, MetricsRegistry } from './registry.ts';

/** Bucket bounds of every duration in CoreDNS, seconds. */
export const TIME_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

const MONITORED = new Set<number>([
  ...[RecordType.A, RecordType.AAAA, RecordType.CNAME, RecordType.DNSKEY, RecordType.DS, RecordType.MX],
  ...[RecordType.NSEC3, RecordType.NSEC, RecordType.NS, RecordType.PTR, RecordType.RRSIG, RecordType.SOA],
  ...[RecordType.SRV, RecordType.TXT, RecordType.HTTPS, RecordType.SVCB, RecordType.IXFR, RecordType.AXFR],
  RecordType.ANY,
]);

/** The labels of one answered query. */
export interface QueryLabels {
  readonly zone: string;
  readonly type: number;
  readonly rcode: number;
  /** The plugin that answered, '' when the query was dropped before any. */
  readonly plugin: string;
  readonly tcp: boolean;
  readonly ipv6: boolean;
}

/** What was measured of it. */
export interface QueryMeasures {
  /** From DnsMetrics.now(). */
  readonly startedAt: number;
  readonly requestSize: number;
  readonly responseSize: number;
  /** Whether the DO bit was set. */
  readonly dnssec: boolean;
}

/** The cells that queries with the same labels count in. */
interface QueryCells {
  readonly requests: Cell;
  readonly responses: Cell;
  readonly duration: HistogramCell;
  readonly requestSize: HistogramCell;
  readonly responseSize: HistogramCell;
}

/** Counts queries under the names of CoreDNS's prometheus plugin for one server address. */
export class DnsMetrics {
  readonly #server: string;
  readonly #requests: Metric;
  readonly #responses: Metric;
  readonly #duration: Histogram;
  readonly #requestSize: Histogram;
  readonly #responseSize: Histogram;
  readonly #dnssec: Metric;
  /** By zone, then by the numbers of the other labels packed into one, then by plugin. */
  readonly #cells = new Map<string, Map<number, Map<string, QueryCells>>>();

  /** `server` is the label of the listener: `dns://:53`. */
  constructor(registry: MetricsRegistry, server: string) {
    const base = ['server', 'zone', 'view'];
    const sizes = { labels: [...base, 'proto'], bounds: SIZE_BUCKETS };
    this.#server = server;
    const requests = 'Counter of DNS requests made per zone, protocol and family.';
    this.#requests = registry.counter('coredns_dns_requests_total', requests, [...base, 'proto', 'family', 'type']);
    const responses = 'Counter of response status codes.';
    this.#responses = registry.counter('coredns_dns_responses_total', responses, [...base, 'rcode', 'plugin']);
    const duration = 'Histogram of the time (in seconds) each request took per zone.';
    const times = { labels: base, bounds: TIME_BUCKETS };
    this.#duration = registry.histogram('coredns_dns_request_duration_seconds', duration, times);
    const size = 'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.';
    this.#requestSize = registry.histogram('coredns_dns_request_size_bytes', size, sizes);
    const returned = 'Size of the returned response in bytes.';
    this.#responseSize = registry.histogram('coredns_dns_response_size_bytes', returned, sizes);
    const dnssec = 'Counter of DNS requests with DO bit set per zone.';
    this.#dnssec = registry.counter('coredns_dns_do_requests_total', dnssec, base);
    registry.counter('coredns_panics_total', 'A metrics that counts the number of panics.');
  }

  /** The time that durations are measured from, in milliseconds of a monotonic clock. */
  now(): number {
    return performance.now();
  }

  report(labels: QueryLabels, measures: QueryMeasures): void {
    const cells = this.#cellsOf(labels);
    cells.requests.value++;
    cells.responses.value++;
    cells.duration.observe((performance.now() - measures.startedAt) / 1000);
    cells.requestSize.observe(measures.requestSize);
    cells.responseSize.observe(measures.responseSize);
    if (measures.dnssec) this.#dnssec.with(this.#server, labels.zone, '').value++;
  }

  #cellsOf(labels: QueryLabels): QueryCells {
    const { zone, plugin, type, rcode, tcp, ipv6 } = labels;
    const byNumbers = getOrInsert(this.#cells, zone, () => new Map<number, Map<string, QueryCells>>());
    const numbers = (type << 14) | (rcode << 2) | (tcp ? 2 : 0) | (ipv6 ? 1 : 0);
    const byPlugin = getOrInsert(byNumbers, numbers, () => new Map<string, QueryCells>());
    return getOrInsert(byPlugin, plugin, () => this.#build(labels));
  }

  #build({ zone, plugin, type, rcode, tcp, ipv6 }: QueryLabels): QueryCells {
    const base = [this.#server, zone, ''];
    const transport = tcp ? 'tcp' : 'udp';
    const typeName = MONITORED.has(type) ? printRecordType(type) : 'other';
    return {
      requests: this.#requests.with(...base, transport, ipv6 ? '2' : '1', typeName),
      responses: this.#responses.with(...base, printRcode(rcode), plugin),
      duration: this.#duration.with(...base),
      requestSize: this.#requestSize.with(...base, transport),
      responseSize: this.#responseSize.with(...base, transport),
    };
  }
}
