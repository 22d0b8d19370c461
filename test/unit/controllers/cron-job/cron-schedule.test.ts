import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextDue, parseCronSchedule } from '../../../../src/controllers/cron-job/cron-schedule.ts';

const next = (schedule: string, after: string, timeZone?: string): string | undefined => {
  const due = nextDue(parseCronSchedule(schedule, timeZone), Date.parse(after));
  return due === undefined ? undefined : new Date(due).toISOString().slice(0, 16);
};

describe('cron schedules', () => {
  test.each([
    ['* * * * *', '2026-01-01T00:00:30Z', '2026-01-01T00:01'],
    ['* * * * *', '2026-01-01T00:01:00Z', '2026-01-01T00:02'],
    ['*/15 * * * *', '2026-01-01T00:46:00Z', '2026-01-01T01:00'],
    ['5/20 * * * *', '2026-01-01T00:06:00Z', '2026-01-01T00:25'],
    ['0 9-17/4 * * *', '2026-01-01T10:00:00Z', '2026-01-01T13:00'],
    ['30 2 * * mon-fri', '2026-01-02T03:00:00Z', '2026-01-05T02:30'],
    ['0 0 * * 7', '2026-01-01T00:00:00Z', '2026-01-04T00:00'],
    ['0 0 13 * fri', '2026-01-10T00:00:00Z', '2026-01-13T00:00'],
    ['0 0 29 feb *', '2026-01-01T00:00:00Z', '2028-02-29T00:00'],
    ['0 0 31 */2 ?', '2026-02-01T00:00:00Z', '2026-03-31T00:00'],
    ['@hourly', '2026-01-01T00:00:00Z', '2026-01-01T01:00'],
    ['@Weekly', '2026-01-01T00:00:00Z', '2026-01-04T00:00'],
    ['1,2,3 4 * * *', '2026-01-01T04:02:00Z', '2026-01-01T04:03'],
  ])('%s after %s is due at %s', (schedule, after, due) => {
    expect(next(schedule, after)).toBe(due);
  });

  test('a time zone shifts with its summer time', () => {
    expect(next('0 9 * * *', '2026-01-01T00:00:00Z', 'Europe/Zurich')).toBe('2026-01-01T08:00');
    expect(next('0 9 * * *', '2026-07-01T00:00:00Z', 'Europe/Zurich')).toBe('2026-07-01T07:00');
    expect(next('0 0 * * *', '2026-03-28T23:30:00Z', 'Europe/Zurich')).toBe('2026-03-29T22:00');
  });

  test('a day that never comes is never due', () => {
    expect(next('0 0 31 2 *', '2026-01-01T00:00:00Z')).toBeUndefined();
  });

  test.each([
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '5-1 * * * *',
    '*/0 * * * *',
    'a * * * *',
    '1-2-3 * * * *',
    '1/2/3 * * * *',
    ', * * * *',
    '@never',
    '-1 * * * *',
  ])('"%s" is refused', (schedule) => {
    expect(() => parseCronSchedule(schedule)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_MANIFEST' }));
  });

  test('an unknown time zone is refused', () => {
    expect(() => parseCronSchedule('* * * * *', 'Mars/Olympus')).toThrow(/unknown time zone/);
  });

  test('what is due matches every field, and nothing due is skipped', () => {
    const field = (min: number, max: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min, max }).map(String),
        fc.integer({ min: 1, max: 9 }).map((n) => `*/${n}`),
      );
    fc.assert(
      fc.property(
        field(0, 59),
        field(0, 23),
        field(1, 28),
        fc.integer({ min: 0, max: 3e7 }),
        (minute, hour, day, offset) => {
          const schedule = parseCronSchedule(`${minute} ${hour} ${day} * *`);
          const after = Date.UTC(2026, 0, 1) + offset * 1000;
          const matches = (time: number): boolean => {
            const date = new Date(time);
            return (
              schedule.minutes.has(date.getUTCMinutes()) &&
              schedule.hours.has(date.getUTCHours()) &&
              schedule.daysOfMonth.has(date.getUTCDate())
            );
          };
          const due = nextDue(schedule, after)!;
          expect(matches(due)).toBe(true);
          for (
            let time = Math.floor(after / 60_000) * 60_000 + 60_000;
            time < Math.min(due, after + 3 * 86_400_000);
            time += 60_000
          )
            expect(matches(time)).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });
});
