import type { FlowControl } from '../flowcontrol/flow-control.ts';
import { printFlowMetrics } from '../flowcontrol/flow-metrics.ts';
import type { RequestInfo } from './request-info.ts';

/** Upper bounds in seconds, as upstream has them, thinned out. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2, 4, 10, 30, 60] as const;
const VERBS: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  deletecollection: 'DELETE',
};

interface Series {
  readonly labels: string;
  readonly buckets: number[];
  count: number;
  seconds: number;
}

/** What /metrics tells beside the requests. */
export interface MetricsFacts {
  /** Number of stored objects by `resource.group`. */
  readonly objects: ReadonlyMap<string, number>;
  readonly flowControl: FlowControl;
}

/** Counts requests and how long they take, under the names that kube-apiserver uses. */
export class RequestMetrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Series>();

  /** Counts an answer. */
  record(info: RequestInfo | undefined, code: number, milliseconds: number): void {
    const labels = labelsOf(info);
    const key = `code="${code}",${labels}`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    const series = this.#durations.get(labels) ?? { labels, buckets: BUCKETS.map(() => 0), count: 0, seconds: 0 };
    this.#durations.set(labels, series);
    const seconds = milliseconds / 1000;
    series.count++;
    series.seconds += seconds;
    BUCKETS.forEach((bound, i) => {
      if (seconds <= bound) series.buckets[i]!++;
    });
  }

  /** The text of /metrics. */
  print({ objects, flowControl }: MetricsFacts): string {
    const inFlight = flowControl.levels.reduce((sum, { queueSet }) => sum + queueSet.executing, 0);
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return [
      ...family('apiserver_request_total', 'counter', 'Counter of apiserver requests.'),
      ...[...this.#requests].map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
      ...family('apiserver_request_duration_seconds', 'histogram', 'Response latency distribution in seconds.'),
      ...[...this.#durations.values()].flatMap(printSeries),
      ...family('apiserver_current_inflight_requests', 'gauge', 'Requests that are worked on now, watches apart.'),
      `apiserver_current_inflight_requests ${inFlight}`,
      ...family('apiserver_storage_objects', 'gauge', 'Number of stored objects split by kind.'),
      ...[...objects].map(([resource, count]) => `apiserver_storage_objects{resource="${resource}"} ${count}`),
      ...printFlowMetrics(flowControl),
      ...family('process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.'),
      `process_cpu_seconds_total ${(user + system) / 1e6}`,
      ...family('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.'),
      `process_resident_memory_bytes ${rss}`,
      ...family('nodejs_heap_used_bytes', 'gauge', 'Bytes of the heap that are in use.'),
      `nodejs_heap_used_bytes ${heapUsed}`,
      '',
    ].join('\n');
  }
}

const family = (name: string, type: string, help: string): string[] => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
];

function labelsOf(info: RequestInfo | undefined): string {
  const verb = info?.verb ?? 'get';
  const shown = VERBS[verb] ?? verb.toUpperCase();
  // Paths are not labels: whoever asks for many would fill the memory.
  if (info?.type !== 'resource') return `group="",resource="",scope="",subresource="",verb="${shown}",version=""`;
  const { group, resource, subresource, version, name, namespace } = info;
  const scope = name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster';
  return `group="${group}",resource="${resource}",scope="${scope}",subresource="${subresource}",verb="${shown}",version="${version}"`;
}

function printSeries({ labels, buckets, count, seconds }: Series): string[] {
  const name = 'apiserver_request_duration_seconds';
  return [
    ...buckets.map((value, i) => `${name}_bucket{${labels},le="${BUCKETS[i]}"} ${value}`),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${seconds}`,
    `${name}_count{${labels}} ${count}`,
  ];
}
