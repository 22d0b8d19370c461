const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration as Go writes it (`30s`, `1h30m`, `0`); undefined for anything else. */
export function parseGoDuration(text: string): number | undefined {
  const [, sign = '', body = ''] = /^([-+]?)(.*)$/.exec(text) ?? [];
  if (body === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0;
  for (const [, number, unit = ''] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(number) * UNIT_MS[unit]!;
  }
  return sign === '-' ? -total : total;
}
