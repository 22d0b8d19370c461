import type { PriorityLevel } from './priority-level.ts';

const HEADER = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
];
const MIN_WIDTH = 8;

/** The text of /debug/api_priority_and_fairness/dump_priority_levels: a row for each level, in columns with commas. */
export function dumpPriorityLevels(levels: readonly PriorityLevel[]): string {
  const rows = [HEADER, ...levels.map(rowOf)];
  const widths = HEADER.map((_, i) => Math.max(MIN_WIDTH, ...rows.map((row) => row[i]!.length + 2)));
  const last = HEADER.length - 1;
  const lines = rows.map((row) => row.map((cell, i) => (i === last ? cell : `${cell},`.padEnd(widths[i]!))).join(''));
  return `${lines.join('\n')}\n`;
}

// Of the requests that gave up waiting upstream counts those as cancelled whose time was over as well.
function rowOf({ name, queueSet, isQuiescing }: PriorityLevel): string[] {
  const { activeQueues, isIdle, waiting, executing, dispatched, rejected, timedOut } = queueSet;
  return [name, activeQueues, isIdle, isQuiescing, waiting, executing, dispatched, rejected, 0, timedOut].map(String);
}
