const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** A span in milliseconds as kubectl's tables show ages: `45s`, `3m20s`, `5h`, `2d4h`; `<invalid>` for the future. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return two(seconds, [MINUTE, 'm'], [1, 's']);
  if (seconds < 3 * HOUR) return `${Math.trunc(seconds / MINUTE)}m`;
  if (seconds < 8 * HOUR) return two(seconds, [HOUR, 'h'], [MINUTE, 'm']);
  if (seconds < 2 * DAY) return `${Math.trunc(seconds / HOUR)}h`;
  if (seconds < 8 * DAY) return two(seconds, [DAY, 'd'], [HOUR, 'h']);
  if (seconds < 2 * YEAR) return `${Math.trunc(seconds / DAY)}d`;
  if (seconds < 8 * YEAR) return two(seconds, [YEAR, 'y'], [DAY, 'd']);
  return `${Math.trunc(seconds / YEAR)}y`;
}

/** Age of an RFC 3339 time at `now`; `<unknown>` when there is none. */
export function age(time: string | undefined, now: number): string {
  return time === undefined ? '<unknown>' : humanDuration(now - Date.parse(time));
}

type Unit = readonly [seconds: number, letter: string];

function two(seconds: number, [big, bigLetter]: Unit, [small, smallLetter]: Unit): string {
  const rest = Math.trunc((seconds % big) / small);
  return `${Math.trunc(seconds / big)}${bigLetter}${rest === 0 ? '' : `${rest}${smallLetter}`}`;
}
