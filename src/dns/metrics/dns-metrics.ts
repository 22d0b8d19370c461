import { performance } from 'node:perf_hooks';
import { printRcode } from '../wire/rcode.ts';
import { printRecordType, RecordType } from '../wire/record-type.ts';
import type { Cell, HistogramCell, MetricsRegistry } from './registry.ts';

/** Bucket bounds of every duration in CoreDNS, seconds. */
export const TIME_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

const MONITORED = new Set<number>(
  [
    'AAAA A CNAME DNSKEY DS MX NSEC3 NSEC NS PTR RRSIG SOA SRV TXT HTTPS SVCB IXFR AXFR ANY'
      .split(' ')
      .map((name) => RecordType[name as keyof typeof RecordType]),
  ].flat(),
);

interface FastOutcome {
  readonly zone: string;
  readonly type: number;
  readonly rcode: number;
  readonly dnssec: boolean;
}

/** What one answered query was. */
export interface QueryReport {
  readonly zone: string;
  readonly transport: 'udp' | 'tcp';
  readonly ipv6: boolean;
  readonly type: number;
  readonly rcode: number;
  /** The plugin that answered, '' when the query was dropped before any. */
  readonly plugin: string;
  readonly dnssec: boolean;
  readonly requestSize: number;
  readonly responseSize: number;
  /** From now(). */
  readonly startedAt: number;
}

interface ZoneCells {
  readonly requests: Map<number, Cell>;
  readonly responses: Map<string, Cell>;
  readonly duration: HistogramCell;
  readonly dnssec: Cell;
  readonly requestSize: Record<'udp' | 'tcp', HistogramCell>;
  readonly responseSize: Record<'udp' | 'tcp', HistogramCell>;
}

/** Counts queries under the names of CoreDNS's prometheus plugin for one server address. */
export class DnsMetrics {
  readonly #registry: MetricsRegistry;
  readonly #server: string;
  readonly #zones = new Map<string, ZoneCells>();

  /** `server` is the label of the listener: `dns://:53`. */
  constructor(registry: MetricsRegistry, server: string) {
    this.#registry = registry;
    this.#server = server;
    registry.counter('coredns_panics_total', 'A metrics that counts the number of panics.');
  }

  /** The time that durations are measured from, in milliseconds of a monotonic clock. */
  now(): number {
    return performance.now();
  }

  report(query: QueryReport): void {
    let cells = this.#zones.get(query.zone);
    if (cells === undefined) {
      cells = this.#cells(query.zone);
      this.#zones.set(query.zone, cells);
    }
    this.#requests(cells, query).value++;
    this.#responses(cells, query).value++;
    cells.duration.observe((performance.now() - query.startedAt) / 1000);
    cells.requestSize[query.transport].observe(query.requestSize);
    cells.responseSize[query.transport].observe(query.responseSize);
    if (query.dnssec) cells.dnssec.value++;
  }

  /** report() of a query that the precompiled answers served. */
  reportFast(
    { zone, type, rcode, dnssec }: FastOutcome,
    { tcp, ipv6 }: { readonly tcp: boolean; readonly ipv6: boolean },
    measured: { readonly startedAt: number; readonly requestSize: number; readonly responseSize: number },
  ): void {
    const transport = tcp ? 'tcp' : 'udp';
    this.report({ zone, transport, ipv6, type, rcode, dnssec, plugin: 'kubernetes', ...measured });
  }

  #requests(cells: ZoneCells, { zone, transport, ipv6, type }: QueryReport): Cell {
    const key = (type << 2) | (transport === 'tcp' ? 2 : 0) | (ipv6 ? 1 : 0);
    let cell = cells.requests.get(key);
    if (cell === undefined) {
      const label = MONITORED.has(type) ? printRecordType(type) : 'other';
      cell = this.#registry
        .counter('coredns_dns_requests_total', 'Counter of DNS requests made per zone, protocol and family.', [
          ...['server', 'zone', 'view', 'proto', 'family', 'type'],
        ])
        .with(this.#server, zone, '', transport, ipv6 ? '2' : '1', label);
      cells.requests.set(key, cell);
    }
    return cell;
  }

  #responses(cells: ZoneCells, { zone, rcode, plugin }: QueryReport): Cell {
    const key = `${rcode} ${plugin}`;
    let cell = cells.responses.get(key);
    if (cell === undefined) {
      const labels = ['server', 'zone', 'view', 'rcode', 'plugin'];
      cell = this.#registry
        .counter('coredns_dns_responses_total', 'Counter of response status codes.', labels)
        .with(this.#server, zone, '', printRcode(rcode), plugin);
      cells.responses.set(key, cell);
    }
    return cell;
  }

  #cells(zone: string): ZoneCells {
    const registry = this.#registry;
    const base = ['server', 'zone', 'view'];
    const perTransport = (name: string, help: string): Record<'udp' | 'tcp', HistogramCell> => {
      const metric = registry.histogram(name, help, { labels: [...base, 'proto'], bounds: SIZE_BUCKETS });
      let udp: HistogramCell | undefined;
      let tcp: HistogramCell | undefined;
      // A label set appears in the text only once it has counted something.
      return {
        get udp() {
          udp ??= metric.with(server, zone, '', 'udp');
          return udp;
        },
        get tcp() {
          tcp ??= metric.with(server, zone, '', 'tcp');
          return tcp;
        },
      };
    };
    const server = this.#server;
    return {
      requests: new Map(),
      responses: new Map(),
      duration: registry
        .histogram(
          'coredns_dns_request_duration_seconds',
          'Histogram of the time (in seconds) each request took per zone.',
          { labels: base, bounds: TIME_BUCKETS },
        )
        .with(server, zone, ''),
      dnssec: registry
        .counter('coredns_dns_do_requests_total', 'Counter of DNS requests with DO bit set per zone.', base)
        .with(server, zone, ''),
      requestSize: perTransport(
        'coredns_dns_request_size_bytes',
        'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.',
      ),
      responseSize: perTransport('coredns_dns_response_size_bytes', 'Size of the returned response in bytes.'),
    };
  }
}
