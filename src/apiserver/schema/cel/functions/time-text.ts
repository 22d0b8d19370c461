import { checkTimestamp } from '../operators.ts';
import { Duration, EvaluationError, type Timestamp } from '../values.ts';

const SECOND = 1_000_000_000n;
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};

/** A length of time as Go parses it: `1h30m`, `-1.5s`; undefined when the text is none. */
export function parseDuration(text: string): Duration | undefined {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const rest = text.slice(sign.length);
  if (rest === '0') return new Duration(0n);
  if (!/^(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return undefined;
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of rest.matchAll(/([0-9]*)\.?([0-9]*)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const scale = units[unit]!;
    nanos += BigInt(whole || '0') * scale + (BigInt(fraction || '0') * scale) / 10n ** BigInt(fraction.length);
  }
  const value = sign === '-' ? -nanos : nanos;
  return BigInt.asIntN(64, value) === value ? new Duration(value) : undefined;
}

/** A length of time in seconds: `90s`, `0.5s`. */
export function durationText({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = String(size % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / SECOND}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** A point in time as RFC 3339 has it; undefined when the text is none. Throws EvaluationError outside of the years 1 to 9999. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})$/.exec(text);
  if (!match) return undefined;
  const [, local = '', fraction = '', zone = ''] = match;
  const ms = Date.parse(`${local}Z`);
  // A day like February 30 is moved on by JavaScript.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== local) return undefined;
  const minutes = zone === 'Z' ? 0 : offsetOf(zone)!;
  const seconds = BigInt(ms / 1000 - minutes * 60);
  return checkTimestamp(seconds * SECOND + BigInt(fraction.slice(0, 9).padEnd(9, '0')));
}

/** A point in time in UTC, with as many digits as it needs. */
export function timestampText({ nanos }: Timestamp): string {
  const inSecond = ((nanos % SECOND) + SECOND) % SECOND;
  const date = new Date(Number((nanos - inSecond) / 1_000_000n));
  const fraction = String(inSecond).padStart(9, '0').replace(/0+$/, '');
  return `${date.toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** Minutes east of Greenwich of an offset like `+02:00` or `-3:30`; undefined when it is none. */
export function offsetOf(text: string): number | undefined {
  const match = /^([+-]?)([0-9]{1,2}):([0-9]{2})$/.exec(text);
  if (!match) return undefined;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}

/** The date and time that clocks show in a zone, as a Date whose UTC fields are those. Throws EvaluationError for unknown zones. */
export function localDate({ nanos }: Timestamp, zone: string): Date {
  const ms = Number(nanos / 1_000_000n) - (nanos % 1_000_000n < 0n ? 1 : 0);
  if (zone === 'UTC' || zone === '') return new Date(ms);
  const minutes = offsetOf(zone) ?? zoneOffset(ms, zone);
  return new Date(ms + minutes * 60_000);
}

function zoneOffset(ms: number, timeZone: string): number {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(ms);
    const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
    return offsetOf(name.slice('GMT'.length)) ?? 0;
  } catch (error) {
    if (error instanceof RangeError) throw new EvaluationError(`unknown time zone ${timeZone}`);
    throw error;
  }
}
