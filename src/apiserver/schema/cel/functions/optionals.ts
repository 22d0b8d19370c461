import type { FunctionTable } from '../function-table.ts';
import { Duration, EvaluationError, ListValue, MapValue, Optional, Timestamp, Uint, type Value } from '../values.ts';

/** Values that may be missing. `or` and `orValue` are compiled apart, as they look at their other side only when they need it. */
export const optionals: FunctionTable = {
  'optional.of(any)': (value: Value) => new Optional(value),
  'optional.ofNonZeroValue(any)': (value: Value) => (isZero(value) ? Optional.none : new Optional(value)),
  'optional.none()': () => Optional.none,
  'optional.unwrap(list)': unwrap,
  '<list>.unwrapOpt()': unwrap,
  '<optional_type>.hasValue()': ({ value }: Optional) => value !== undefined,
  '<optional_type>.value()': ({ value }: Optional) => {
    if (value === undefined) throw new EvaluationError('optional.none() dereference');
    return value;
  },
  '<optional_type>.or(optional_type)': (optional: Optional, other: Optional) =>
    optional.value === undefined ? other : optional,
  '<optional_type>.orValue(any)': ({ value }: Optional, other: Value) => value ?? other,
};

function unwrap({ items }: ListValue): Value {
  return new ListValue(
    items.flatMap((item) => {
      if (!(item instanceof Optional)) throw new EvaluationError(`value ${String(item)} is not optional`);
      return item.value === undefined ? [] : [item.value];
    }),
  );
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof ListValue || value instanceof MapValue) return value.size === 0;
  if (value instanceof Timestamp || value instanceof Duration) return value.nanos === 0n;
  return value instanceof Optional && value.value === undefined;
}
