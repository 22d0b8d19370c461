import { parseQuantity, type Quantity, QuantityError } from '../../canonical-quantity.ts';
import type { FunctionTable } from '../function-table.ts';
import { type CelObject, EvaluationError, type Value } from '../values.ts';

const NANO = 1_000_000_000n;

/** An amount like `500m` or `64Mi`. */
class QuantityValue implements CelObject {
  readonly typeName = 'kubernetes.Quantity';
  readonly nano: bigint;

  constructor(nano: bigint) {
    this.nano = nano;
  }

  equals(other: Value): boolean {
    return other instanceof QuantityValue && other.nano === this.nano;
  }

  /** Undefined when it is no whole number of 64 bits. */
  get whole(): bigint | undefined {
    const whole = this.nano / NANO;
    return this.nano % NANO === 0n && BigInt.asIntN(64, whole) === whole ? whole : undefined;
  }
}

type Q = QuantityValue;
const SELF = 'kubernetes.Quantity';

/** Amounts of resources. */
export const quantities: FunctionTable = {
  'quantity(string)': (text: string) => new QuantityValue(parse(text).nano),
  'isQuantity(string)': (text: string) => {
    try {
      return parse(text) !== undefined;
    } catch (error) {
      if (error instanceof EvaluationError) return false;
      throw error;
    }
  },
  [`<${SELF}>.sign()`]: ({ nano }: Q) => (nano > 0n ? 1n : nano < 0n ? -1n : 0n),
  [`<${SELF}>.isInteger()`]: ({ whole }: Q) => whole !== undefined,
  [`<${SELF}>.asInteger()`]: ({ whole }: Q) => {
    if (whole === undefined) throw new EvaluationError('cannot convert value to integer');
    return whole;
  },
  [`<${SELF}>.asApproximateFloat()`]: ({ nano }: Q) => Number(nano) / 1e9,
  [`<${SELF}>.isGreaterThan(${SELF})`]: (a: Q, b: Q) => a.nano > b.nano,
  [`<${SELF}>.isLessThan(${SELF})`]: (a: Q, b: Q) => a.nano < b.nano,
  [`<${SELF}>.compareTo(${SELF})`]: (a: Q, b: Q) => (a.nano > b.nano ? 1n : a.nano < b.nano ? -1n : 0n),
  [`<${SELF}>.add(${SELF})`]: (a: Q, b: Q) => new QuantityValue(a.nano + b.nano),
  [`<${SELF}>.add(int)`]: (a: Q, b: bigint) => new QuantityValue(a.nano + b * NANO),
  [`<${SELF}>.sub(${SELF})`]: (a: Q, b: Q) => new QuantityValue(a.nano - b.nano),
  [`<${SELF}>.sub(int)`]: (a: Q, b: bigint) => new QuantityValue(a.nano - b * NANO),
};

function parse(text: string): Quantity {
  try {
    return parseQuantity(text);
  } catch (error) {
    if (error instanceof QuantityError) throw new EvaluationError(error.message);
    throw error;
  }
}
