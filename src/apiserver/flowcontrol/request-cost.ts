import type { RequestInfo } from '../http/request-info.ts';

const OBJECTS_PER_SEAT = 100;
const MAX_WAIT_MS = 60_000;
const DEFAULT_DEADLINE_MS = 60_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const LONG_RUNNING: ReadonlySet<string> = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/** Requests that priority and fairness leaves alone, as upstream does: they may take as long as they like. */
export function isLongRunning(info: RequestInfo): boolean {
  return info.verb === 'proxy' || (info.type === 'resource' && LONG_RUNNING.has(info.subresource));
}

/** Seats that a request occupies: more than one for the objects of a list, or of what a watch begins with. */
export function seatsOf(info: RequestInfo, query: URLSearchParams, countObjects: () => number): number {
  if (info.type !== 'resource' || info.name !== undefined) return 1;
  if (info.verb === 'watch' ? !hasInitialEvents(query) : info.verb !== 'list') return 1;
  const limit = Number(query.get('limit') ?? 0);
  const objects = limit > 0 ? Math.min(limit, countObjects()) : countObjects();
  return Math.max(1, Math.ceil(objects / OBJECTS_PER_SEAT));
}

function hasInitialEvents(query: URLSearchParams): boolean {
  const version = query.get('resourceVersion') ?? '';
  return query.get('sendInitialEvents') === 'true' || version === '' || version === '0';
}

/** Milliseconds that a request may wait for a seat: a quarter of the time that it has at all. */
export function waitLimitOf(info: RequestInfo, query: URLSearchParams): number {
  const deadline = info.verb === 'watch' ? DEFAULT_DEADLINE_MS : readTimeout(query.get('timeout') ?? '');
  return Math.min(MAX_WAIT_MS, deadline / 4);
}

// `32s`, `1m30s`; what is none is refused elsewhere, or not at all.
function readTimeout(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return DEFAULT_DEADLINE_MS;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
  return total > 0 ? Math.min(total, DEFAULT_DEADLINE_MS) : DEFAULT_DEADLINE_MS;
}
