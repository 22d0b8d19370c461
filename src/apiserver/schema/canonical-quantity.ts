/** How a quantity was written, which decides how its canonical form looks. */
type QuantityFormat = 'binary' | 'decimal' | 'exponent';

/** An amount of something: `100m` CPUs, `64Mi` bytes. */
export interface Quantity {
  /** Billionths, the finest step that Kubernetes knows; smaller amounts are rounded up to one. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

/** A text is no quantity; the message is apimachinery's. */
export class QuantityError extends Error {}

const WRONG_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const NANO = 1_000_000_000n;
const MAX_BINARY = (2n ** 63n - 1n) * NANO;

const binaryExponents = new Map([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);
const decimalExponents = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const suffixOf = (exponents: ReadonlyMap<string, number>, exponent: number): string =>
  [...exponents].find(([, value]) => value === exponent)?.[0] ?? '';

interface Parts {
  readonly negative: boolean;
  /** Digits before the point, without leading zeros ('0' for none). */
  readonly whole: string;
  readonly fraction: string;
  readonly format: QuantityFormat;
  /** Of 2 for binary, else of 10. */
  readonly exponent: number;
}

/** Parses as apimachinery's ParseQuantity does. Throws QuantityError. */
export function parseQuantity(text: string): Quantity {
  return toQuantity(partsOf(text));
}

/** The text in which the real server writes a quantity back: `1000m` becomes `1`, `0.5` becomes `500m`. Throws QuantityError. */
export function canonicalQuantity(text: string): string {
  if (text === '0') return text;
  const parts = partsOf(text);
  return isWrittenAsGiven(parts) ? text : formatQuantity(toQuantity(parts));
}

/** Prints an amount in its canonical form. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const whole = nano / NANO;
  if (format === 'binary' && nano % NANO === 0n && (whole <= -1024n || whole >= 1024n)) return formatBinary(whole);
  return formatDecimal(nano, format === 'exponent');
}

function partsOf(text: string): Parts {
  const match = /^([+-]?)0*([0-9]*)(?:\.([0-9]*))?((?:[eEinumkKMGTP]*)[-+]?[0-9]*)$/.exec(text);
  if (text === '' || match === null) throw new QuantityError(WRONG_FORMAT);
  const [, sign, digits = '', fraction = '', suffix = ''] = match;
  return { negative: sign === '-', whole: digits === '' ? '0' : digits, fraction, ...interpret(suffix) };
}

function interpret(suffix: string): Pick<Parts, 'format' | 'exponent'> {
  const binary = binaryExponents.get(suffix);
  if (binary !== undefined) return { format: 'binary', exponent: binary };
  const decimal = decimalExponents.get(suffix);
  if (decimal !== undefined) return { format: 'decimal', exponent: decimal };
  if (/^[eE][+-]?[0-9]{1,18}$/.test(suffix)) return { format: 'exponent', exponent: Number(suffix.slice(1)) };
  throw new QuantityError("unable to parse quantity's suffix");
}

// Upstream keeps the text where a quick look says that it is canonical already; the look errs for `+5` and `007Mi`.
function isWrittenAsGiven({ whole, fraction, format, exponent }: Parts): boolean {
  const digits = whole + fraction;
  if (format === 'binary') {
    const room = 15 - whole.length - Math.trunc((exponent * 3) / 10) - 1;
    return fraction === '' && room >= 0 && (BigInt(digits) & 7n) !== 0n;
  }
  const scale = exponent - fraction.length;
  return digits.length <= 18 && scale >= -9 && scale % 3 === 0 && !digits.endsWith('000') && digits[0] !== '0';
}

// A hostile exponent must not make a number of a billion digits.
const MAX_EXPONENT = 1000;

function toQuantity({ negative, whole, fraction, format, exponent }: Parts): Quantity {
  if (format !== 'binary' && Math.abs(exponent) > MAX_EXPONENT)
    throw new QuantityError('unable to parse numeric part of quantity');
  const digits = BigInt(whole + fraction);
  const power = 9 - fraction.length + (format === 'binary' ? 0 : exponent);
  const scaled = format === 'binary' ? digits * 2n ** BigInt(exponent) : digits;
  const divisor = power < 0 ? 10n ** BigInt(-power) : 1n;
  // Away from zero: whoever asks for a little gets a little.
  let nano = power < 0 ? (scaled + divisor - 1n) / divisor : scaled * 10n ** BigInt(power);
  if (format === 'binary' && nano > MAX_BINARY) nano = MAX_BINARY;
  const shown: QuantityFormat = format === 'binary' && nano < NANO && nano > 0n ? 'decimal' : format;
  return { nano: negative ? -nano : nano, format: shown };
}

function formatBinary(amount: bigint): string {
  let [mantissa, exponent] = [amount, 0];
  while (mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    exponent += 10;
  }
  return `${mantissa}${suffixOf(binaryExponents, exponent)}`;
}

function formatDecimal(nano: bigint, asExponent: boolean): string {
  let [mantissa, exponent] = [nano, -9];
  while (mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (!asExponent) return `${mantissa}${suffixOf(decimalExponents, exponent)}`;
  return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
}
