const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-6,
  u: 1e-3,
  m: 1,
  '': 1e3,
  k: 1e6,
  M: 1e9,
  G: 1e12,
  T: 1e15,
  P: 1e18,
  E: 1e21,
  Ki: 2 ** 10 * 1e3,
  Mi: 2 ** 20 * 1e3,
  Gi: 2 ** 30 * 1e3,
  Ti: 2 ** 40 * 1e3,
  Pi: 2 ** 50 * 1e3,
  Ei: 2 ** 60 * 1e3,
};
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/** A resource quantity (`100m`, `1.5Gi`, `2e3`) in thousandths, rounded up as upstream's MilliValue; undefined when it is none. */
export function milliValueOf(quantity: string | number): number | undefined {
  const match = QUANTITY.exec(String(quantity));
  if (!match) return undefined;
  const [, number = '', exponent = '', suffix = ''] = match;
  const milli = exponent === '' ? Number(number) * SUFFIXES[suffix]! : Number(`${number}${exponent}`) * 1e3;
  // Binary fractions of decimal numbers must not round 0.1 up to 101 thousandths.
  return Math.ceil(Number(milli.toPrecision(15)));
}
