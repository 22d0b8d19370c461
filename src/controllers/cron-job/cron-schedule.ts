import { UserError } from '../../errors/towtank-error.ts';

/** The minutes at which something is due: which values of each field match. */
export interface CronSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly daysOfWeek: ReadonlySet<number>;
  /** Both day fields restrict: then either will do, as cron has always had it. */
  readonly anyDay: boolean;
  /** IANA name; UTC when undefined. */
  readonly timeZone: string | undefined;
}

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Parses `*\/5 * * * *`, names and macros as robfig/cron's standard parser; throws UserError ERR_INVALID_MANIFEST. */
export function parseCronSchedule(text: string, timeZone?: string): CronSchedule {
  const fields = (MACROS[text.trim().toLowerCase()] ?? text).trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5) throw invalid(text, `expected exactly 5 fields, found ${fields.length}`);
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw invalid(text, `unknown time zone ${timeZone}`);
  const parse = (field: string, min: number, max: number, names: readonly string[] = []): ReadonlySet<number> =>
    parseField(field, { min, max, names, text });
  const daysOfWeek = new Set([...parse(weekday, 0, 7, DAYS)].map((value) => value % 7));
  return {
    minutes: parse(minute, 0, 59),
    hours: parse(hour, 0, 23),
    daysOfMonth: parse(day, 1, 31),
    months: parse(month, 1, 12, MONTHS),
    daysOfWeek,
    anyDay: !isEvery(day) && !isEvery(weekday),
    timeZone,
  };
}

/** The first time after `after` at which the schedule is due, in milliseconds since the epoch; undefined when never within 5 years. */
export function nextDue(schedule: CronSchedule, after: number): number | undefined {
  const local = localClock(schedule.timeZone);
  const limit = after + 5 * 366 * 86_400_000;
  let time = Math.floor(after / 60_000) * 60_000 + 60_000;
  while (time < limit) {
    const { month, day, weekday, hour, minute } = local(time);
    if (!schedule.months.has(month) || !isDay(schedule, day, weekday)) time += untilNextDay(hour, minute);
    else if (!schedule.hours.has(hour)) time += (60 - minute) * 60_000;
    else if (!schedule.minutes.has(minute)) time += 60_000;
    else return time;
  }
  return undefined;
}

// At most to the end of the local hour before midnight: a day may be 23 or 25 hours long.
function untilNextDay(hour: number, minute: number): number {
  const hours = hour < 22 ? 22 - hour : 1;
  return hours * 3_600_000 - minute * 60_000;
}

function isDay({ daysOfMonth, daysOfWeek, anyDay }: CronSchedule, day: number, weekday: number): boolean {
  const ofMonth = daysOfMonth.has(day);
  const ofWeek = daysOfWeek.has(weekday);
  return anyDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

interface LocalTime {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
}

function localClock(timeZone: string | undefined): (time: number) => LocalTime {
  if (timeZone === undefined) {
    return (time) => {
      const date = new Date(time);
      return {
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        weekday: date.getUTCDay(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
      };
    };
  }
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    month: 'numeric',
    day: 'numeric',
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (time) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const number = (part: string): number => Number(parts[part]);
    const weekday = DAYS.indexOf((parts['weekday'] ?? '').toLowerCase());
    return { month: number('month'), day: number('day'), weekday, hour: number('hour'), minute: number('minute') };
  };
}

interface FieldRules {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
  readonly text: string;
}

function parseField(field: string, rules: FieldRules): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step, more] = part.split('/');
    const every = step === undefined ? 1 : Number(step);
    const [first, last] = parseRange(range, rules, step !== undefined);
    if (more !== undefined || !Number.isInteger(every) || every < 1)
      throw invalid(rules.text, `failed to parse ${part}`);
    for (let value = first; value <= last; value += every) values.add(value);
  }
  return values;
}

function parseRange(range: string, rules: FieldRules, stepped: boolean): readonly [number, number] {
  if (isEvery(range)) return [rules.min, rules.max];
  const [from = '', to, more] = range.split('-');
  const first = parseValue(from, rules);
  const last = to === undefined ? (stepped ? rules.max : first) : parseValue(to, rules);
  if (more !== undefined || first > last) throw invalid(rules.text, `failed to parse ${range}`);
  return [first, last];
}

function parseValue(word: string, { min, max, names, text }: FieldRules): number {
  const named = names.indexOf(word.toLowerCase());
  const value = word !== '' && named >= 0 ? named : /^\d+$/.test(word) ? Number(word) : Number.NaN;
  if (Number.isNaN(value) || value < min || value > max)
    throw invalid(text, `failed to parse ${word || 'an empty field'}`);
  return value;
}

function isEvery(field: string): boolean {
  return field === '*' || field === '?';
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function invalid(text: string, why: string): UserError {
  return new UserError({ code: 'ERR_INVALID_MANIFEST', message: `unparseable schedule "${text}": ${why}` });
}
