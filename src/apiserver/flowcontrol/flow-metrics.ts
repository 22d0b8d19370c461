import type { FlowControl } from './flow-control.ts';
import { type Durations, type FlowStats, WAIT_BUCKETS } from './flow-stats.ts';
import type { PriorityLevel } from './priority-level.ts';

const NAME = 'apiserver_flowcontrol_';

const family = (name: string, type: string, help: string): string[] => [
  `# HELP ${NAME}${name} ${help}`,
  `# TYPE ${NAME}${name} ${type}`,
];

type Count = (stats: FlowStats) => number;

/** By flow schema: name, what it tells, value. A schema that was never asked for is left out. */
const gauges: readonly (readonly [string, string, Count])[] = [
  ['current_inqueue_requests', 'Number of requests currently pending in queues.', ({ waiting }) => waiting],
  ['current_inqueue_seats', 'Number of seats currently pending in queues.', ({ waitingSeats }) => waitingSeats],
  ['current_executing_requests', 'Number of requests in execution, of watches only their start.', (s) => s.executing],
  ['current_executing_seats', 'Seats occupied by the requests in execution.', (s) => s.executingSeats],
];

/** By priority level. */
const limits: readonly (readonly [string, string, (level: PriorityLevel) => number])[] = [
  ['nominal_limit_seats', 'Nominal number of execution seats configured.', (level) => level.limits.nominal],
  ['lower_limit_seats', 'Configured lower bound on number of execution seats.', (level) => level.limits.lower],
  ['upper_limit_seats', 'Configured upper bound on number of execution seats.', (level) => level.limits.upper],
  ['current_limit_seats', 'Current derived number of execution seats.', (level) => level.current],
  ['demand_seats_high_watermark', 'High watermark of demand_seats.', (level) => level.demand.highWatermark],
  ['demand_seats_average', 'Time-weighted average of demand_seats.', (level) => level.demand.average],
  ['demand_seats_stdev', 'Time-weighted standard deviation of demand_seats.', (level) => level.demand.deviation],
  ['demand_seats_smoothed', 'Smoothed seat demands.', (level) => level.demand.smoothed],
  ['target_seats', 'Seat allocation targets.', (level) => level.demand.target],
];

/** The families of upstream about API Priority and Fairness, for /metrics. */
export function printFlowMetrics({ levels, stats, fairFraction }: FlowControl): string[] {
  const known = stats.filter(({ dispatched, rejected, waiting }) => {
    return dispatched + waiting + Object.values(rejected).reduce((sum, count) => sum + count, 0) > 0;
  });
  return [
    ...gauges.flatMap(([name, help, count]) => bySchema(name, 'gauge', help, known, count)),
    ...bySchema('dispatched_requests_total', 'counter', 'Number of requests executed.', known, (s) => s.dispatched),
    ...printRejected(known),
    ...limits.flatMap(([name, help, value]) => [
      ...family(name, 'gauge', help),
      ...levels.map((level) => `${NAME}${name}{priority_level="${level.name}"} ${value(level)}`),
    ]),
    ...family('seat_fair_frac', 'gauge', 'Fair fraction of concurrency for each priority level that can use it.'),
    `${NAME}seat_fair_frac ${fairFraction}`,
    ...family('request_wait_duration_seconds', 'histogram', 'Length of time a request spent waiting in its queue.'),
    ...known.flatMap((s) => printDurations('request_wait_duration_seconds', s, 'execute', s.waits)),
    ...family('request_execution_seconds', 'histogram', 'Duration of request execution, of watches of their start.'),
    ...known.flatMap((s) => printDurations('request_execution_seconds', s, 'type', s.executions)),
  ];
}

const labelsOf = ({ schema, level }: FlowStats): string => `flow_schema="${schema}",priority_level="${level}"`;

function bySchema(name: string, type: string, help: string, all: readonly FlowStats[], count: Count): string[] {
  return [...family(name, type, help), ...all.map((stats) => `${NAME}${name}{${labelsOf(stats)}} ${count(stats)}`)];
}

function printRejected(all: readonly FlowStats[]): string[] {
  return [
    ...family('rejected_requests_total', 'counter', 'Number of requests rejected.'),
    ...all.flatMap((stats) =>
      Object.entries(stats.rejected)
        .filter(([, count]) => count > 0)
        .map(([reason, count]) => `${NAME}rejected_requests_total{${labelsOf(stats)},reason="${reason}"} ${count}`),
    ),
  ];
}

function printDurations(
  name: string,
  stats: FlowStats,
  label: string,
  all: Readonly<Record<string, Durations>>,
): string[] {
  return Object.entries(all).flatMap(([key, { buckets, count, seconds }]) => {
    if (count === 0) return [];
    const labels = label < 'flow' ? `${label}="${key}",${labelsOf(stats)}` : `${labelsOf(stats)},${label}="${key}"`;
    let upTo = 0;
    return [
      ...WAIT_BUCKETS.map((bound, i) => {
        upTo += buckets[i]!;
        return `${NAME}${name}_bucket{${labels},le="${bound}"} ${upTo}`;
      }),
      `${NAME}${name}_bucket{${labels},le="+Inf"} ${count}`,
      `${NAME}${name}_sum{${labels}} ${seconds}`,
      `${NAME}${name}_count{${labels}} ${count}`,
    ];
  });
}
