import type { FieldCause } from '../schema/contract.ts';

/** `spec`, `ports`, 0, `name`: printed as `spec.ports[0].name`. */
export function joinPath(parent: string, child: string | number): string {
  if (typeof child === 'number') return `${parent}[${child}]`;
  return parent === '' ? child : `${parent}.${child}`;
}

/** A map key below a path: `data[a.b]`. */
export function keyPath(parent: string, key: string): string {
  return `${parent}[${key}]`;
}

const printValue = (value: unknown): string =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : (JSON.stringify(value) ?? 'null');

const cause = (reason: string, field: string, message: string): FieldCause => ({ reason, message, field });
const withDetail = (text: string, detail: string): string => (detail === '' ? text : `${text}: ${detail}`);

/** `Invalid value: "x": detail`. */
export function invalid(field: string, value: unknown, detail: string): FieldCause {
  return cause('FieldValueInvalid', field, withDetail(`Invalid value: ${printValue(value)}`, detail));
}

/** `Required value: detail`. */
export function required(field: string, detail = ''): FieldCause {
  return cause('FieldValueRequired', field, withDetail('Required value', detail));
}

/** `Forbidden: detail`. */
export function forbidden(field: string, detail = ''): FieldCause {
  return cause('FieldValueForbidden', field, withDetail('Forbidden', detail));
}

/** `Duplicate value: "x"`. */
export function duplicate(field: string, value: unknown): FieldCause {
  return cause('FieldValueDuplicate', field, `Duplicate value: ${printValue(value)}`);
}

/** `Not found: "x"`. */
export function notFoundValue(field: string, value: unknown): FieldCause {
  return cause('FieldValueNotFound', field, `Not found: ${printValue(value)}`);
}

/** `Unsupported value: "x": supported values: "a", "b"`. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldCause {
  const detail = supported.length === 0 ? '' : `supported values: ${supported.map(printValue).join(', ')}`;
  return cause('FieldValueNotSupported', field, withDetail(`Unsupported value: ${printValue(value)}`, detail));
}

/** `Too long: may not be more than 63 bytes`. */
export function tooLong(field: string, max: number): FieldCause {
  return cause('FieldValueTooLong', field, `Too long: may not be more than ${max} byte${max === 1 ? '' : 's'}`);
}

/** `Too many: 9: must have at most 8 items`. */
export function tooMany(field: string, actual: number, max: number): FieldCause {
  return cause('FieldValueTooMany', field, `Too many: ${actual}: must have at most ${max} item${max === 1 ? '' : 's'}`);
}

/** One `invalid` for each message of a name rule. */
export function invalidEach(field: string, value: unknown, messages: readonly string[]): FieldCause[] {
  return messages.map((message) => invalid(field, value, message));
}
