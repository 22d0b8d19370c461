import { sameValue } from '../machinery/api-object.ts';
import type { FieldCause } from '../schema/contract.ts';
import { pruneFields } from '../schema/custom/prune-fields.ts';
import type { StructuralSchema } from '../schema/custom/structural-schema.ts';
import { validateLists } from '../schema/custom/validate-lists.ts';
import { validateValue } from '../schema/custom/validate-value.ts';
import { invalid } from '../validation/field-errors.ts';

/** What is wrong with the default of one schema: it must be a value of that schema. */
export function validateDefault(schema: StructuralSchema, path: string): FieldCause[] {
  const { default: value } = schema;
  if (value === undefined || value === null) return [];
  const at = `${path}.default`;
  // Below a field, so that what is told of the value itself has a place.
  const around: StructuralSchema = { type: 'object', properties: { default: { ...schema, default: undefined } } };
  const object = { default: value };
  const kept = pruneFields(around, object).value;
  if (!sameValue(kept, object)) return [invalid(at, value, 'must not have unknown fields')];
  const place = (field: string): string => `${path}.${field}`;
  return [...validateValue(around, object, undefined), ...validateLists(around, object)].map((cause) => ({
    ...cause,
    field: place(cause.field),
    message: cause.message.replaceAll(': default', `: ${at}`),
  }));
}
