import type { FunctionTable } from '../function-table.ts';
import { checkTimestamp } from '../operators.ts';
import { Duration, EvaluationError, type Timestamp, type Value } from '../values.ts';
import { localDate, parseDuration, parseTimestamp } from './time-text.ts';

type Part = (date: Date) => number;

const DAY = 86_400_000;

const parts: Readonly<Record<string, Part>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: (date) => {
    const first = new Date(date).setUTCMonth(0, 1);
    return Math.floor(date.getTime() / DAY) - Math.floor(first / DAY);
  },
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
};

const NANOS = { getHours: 3_600_000_000_000n, getMinutes: 60_000_000_000n, getSeconds: 1_000_000_000n } as const;

function* entries(): Generator<readonly [string, (...args: never[]) => Value]> {
  for (const [name, part] of Object.entries(parts)) {
    yield [`<google.protobuf.Timestamp>.${name}()`, (time: Timestamp) => BigInt(part(localDate(time, 'UTC')))];
    yield [
      `<google.protobuf.Timestamp>.${name}(string)`,
      (time: Timestamp, zone: string) => BigInt(part(localDate(time, zone))),
    ];
  }
  for (const [name, unit] of Object.entries(NANOS))
    yield [`<google.protobuf.Duration>.${name}()`, ({ nanos }: Duration) => nanos / unit];
}

/** Points in time and lengths of time. */
export const times: FunctionTable = {
  ...Object.fromEntries(entries()),
  '<google.protobuf.Duration>.getMilliseconds()': ({ nanos }: Duration) => nanos / 1_000_000n,
  'timestamp(google.protobuf.Timestamp)': (time: Timestamp) => time,
  'timestamp(int)': (seconds: bigint) => checkTimestamp(seconds * 1_000_000_000n),
  'timestamp(string)': (text: string) => parseTimestamp(text) ?? fail('timestamp'),
  'duration(google.protobuf.Duration)': (duration: Duration) => duration,
  'duration(int)': (nanos: bigint) => new Duration(nanos),
  'duration(string)': (text: string) => parseDuration(text) ?? fail('duration'),
};

function fail(type: 'timestamp' | 'duration'): never {
  const name = type === 'timestamp' ? 'google.protobuf.Timestamp' : 'google.protobuf.Duration';
  throw new EvaluationError(`type conversion error from 'string' to '${name}'`);
}
