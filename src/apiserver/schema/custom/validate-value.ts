import { isJsonObject, jsonEquals, own } from '../../patch/json-value.ts';
import { invalid, notSupported, required, tooLong, tooMany } from '../../validation/field-errors.ts';
import type { FieldCause } from '../contract.ts';
import { goQuote } from '../go-text.ts';
import { patternOf } from './go-pattern.ts';
import { previousItem } from './previous-item.ts';
import { formatCheck } from './string-formats.ts';
import type { StructuralSchema } from './structural-schema.ts';

/** What checking a value against a schema finds: causes in upstream's words, and how many checks held. */
interface Findings {
  readonly causes: readonly FieldCause[];
  /** Decides which of several alternatives that all fail explains the failure best. */
  readonly matches: number;
}

interface Place {
  readonly path: string;
  /** The value at this place before an update; what has not changed is not checked again. */
  readonly previous: unknown;
}

/** Checks an object against the schema of its CRD; `previous` is undefined for a creation. */
export function validateValue(schema: StructuralSchema, object: unknown, previous: unknown): readonly FieldCause[] {
  return check(schema, object, { path: '', previous }).causes;
}

const NOWHERE = '<nil>';

function check(schema: StructuralSchema, value: unknown, place: Place): Findings {
  if (place.previous !== undefined && jsonEquals(value, place.previous)) return { causes: [], matches: 1 };
  if (value === null) return checkNull(schema, place.path);
  const parts = [
    checkType(schema, value, place.path),
    checkCombined(schema, value, place),
    ...checkByType(schema, value, place),
  ];
  return {
    causes: parts.flatMap(({ causes }) => causes),
    matches: parts.reduce((sum, { matches }) => sum + matches + 1, 1),
  };
}

function checkNull(schema: StructuralSchema, path: string): Findings {
  const types = typesOf(schema);
  if (types.length === 0 || schema.nullable) return { causes: [], matches: 1 };
  return found([typeInvalid(path, 'null', types.join(','))]);
}

const found = (causes: readonly FieldCause[], matches = 1): Findings => ({ causes, matches });
const named = (path: string): string => (path === '' ? NOWHERE : path.replace(/^\./, ''));

function typesOf(schema: StructuralSchema): readonly string[] {
  if (schema['x-kubernetes-int-or-string']) return ['integer', 'string'];
  return schema.type === undefined ? [] : [schema.type];
}

function typeOfValue(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean') return typeof value;
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return Array.isArray(value) ? 'array' : 'object';
}

function typeInvalid(path: string, actual: string, expected: string): FieldCause {
  const detail = `${path} in body must be of type ${expected}: ${goQuote(actual)}`;
  return { ...invalid(named(path), actual, detail), reason: 'FieldValueTypeInvalid' };
}

function checkType(schema: StructuralSchema, value: unknown, path: string): Findings {
  const types = typesOf(schema);
  const actual = typeOfValue(value);
  if (types.includes(actual) || (actual === 'integer' && types.includes('number'))) return found([]);
  if (types.length === 0 && schema.format === undefined) return found([]);
  if (schema.format === undefined || goFormats[actual] === schema.format)
    return found([typeInvalid(path, actual, types.join(','))]);
  const isText = actual === 'string' || actual === 'array';
  const isNumeric = types.includes('integer') || types.includes('number');
  // With a format, upstream compares formats, and lets texts pass where it expects no number.
  if (!isText) return found([typeInvalid(path, goFormats[actual] ?? '', schema.format)]);
  return found(isNumeric ? [typeInvalid(path, actual, types.join(','))] : []);
}

const goFormats: Readonly<Record<string, string>> = { integer: 'int64', number: 'float64' };

function checkByType(schema: StructuralSchema, value: unknown, place: Place): Findings[] {
  const { path } = place;
  if (typeof value === 'string') return [found(checkString(schema, value, path)), checkEnum(schema, value, path)];
  if (typeof value === 'number') return [found(checkNumber(schema, value, path)), checkEnum(schema, value, path)];
  if (Array.isArray(value)) return [checkItems(schema, value, place), checkEnum(schema, value, path)];
  if (isJsonObject(value)) return [checkEnum(schema, value, path), checkProperties(schema, value, place)];
  return [checkEnum(schema, value, path)];
}

function checkEnum(schema: StructuralSchema, value: unknown, path: string): Findings {
  if (!schema.enum || schema.enum.length === 0 || schema.enum.some((allowed) => jsonEquals(allowed, value)))
    return found([], 0);
  const values = schema.enum.map((allowed) => (typeof allowed === 'string' ? allowed : JSON.stringify(allowed)));
  return found([notSupported(named(path), value, values)]);
}

function checkString(schema: StructuralSchema, value: string, path: string): FieldCause[] {
  return [...checkLengthAndPattern(schema, value, path), ...checkFormat(schema, value, path)];
}

// The first of these that fails is told, the others are not.
function checkLengthAndPattern(schema: StructuralSchema, value: string, path: string): FieldCause[] {
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) return [tooLong(named(path), schema.maxLength)];
  if (schema.minLength !== undefined && length < schema.minLength)
    return [invalid(named(path), value, `${path} in body should be at least ${schema.minLength} chars long`)];
  if (schema.pattern === undefined || patternOf(schema.pattern)?.test(value) !== false) return [];
  return [invalid(named(path), value, `${path} in body should match '${schema.pattern}'`)];
}

function checkFormat(schema: StructuralSchema, value: string, path: string): FieldCause[] {
  const matches = schema.format === undefined ? undefined : formatCheck(schema.format);
  if (matches === undefined || matches(value)) return [];
  return [typeInvalid(path, value, schema.format!)];
}

function checkNumber(schema: StructuralSchema, value: number, path: string): FieldCause[] {
  const causes: FieldCause[] = [];
  const { exclusiveMaximum, exclusiveMinimum } = schema;
  // Whole numbers are compared with whole bounds, as upstream cuts them.
  const bounds = [schema.minimum, schema.maximum, schema.multipleOf];
  const [minimum, maximum, multipleOf] = Number.isInteger(value)
    ? bounds.map((bound) => bound && Math.trunc(bound))
    : bounds;
  if (schema.type === 'integer' && !isInRange(value, schema.format)) {
    const format =
      schema.format === 'int32' || schema.format === 'int64' ? `with format ${schema.format}` : '(default format)';
    causes.push(invalid(NOWHERE, '', `Checked value must be of type integer ${format} in ${path}`));
  }
  const tell = (text: string, bound: number): void => {
    causes.push(invalid(named(path), value, `${path} in body should be ${text} ${goNumber(bound, value)}`));
  };
  if (multipleOf && !isMultiple(value, multipleOf)) tell('a multiple of', multipleOf);
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    tell(exclusiveMinimum ? 'greater than' : 'greater than or equal to', minimum);
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    tell(exclusiveMaximum ? 'less than' : 'less than or equal to', maximum);
  return causes;
}

function isInRange(value: number, format: string | undefined): boolean {
  return Number.isInteger(value) && (format !== 'int32' || (value | 0) === value);
}

function isMultiple(value: number, of: number): boolean {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9;
}

// Bounds of whole numbers are printed as such, others as Go prints a float64.
function goNumber(bound: number, value: number): string {
  if (Number.isInteger(value) && Number.isInteger(bound)) return String(bound);
  const [mantissa = '', exponent = '0'] = bound.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 21) return String(bound);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

function checkItems(schema: StructuralSchema, value: readonly unknown[], { path, previous }: Place): Findings {
  const parts =
    schema.items === undefined
      ? []
      : value.map((item, index) =>
          check(schema.items!, item, { path: `${path}[${index}]`, previous: previousItem(schema, item, previous) }),
        );
  const causes = parts.flatMap((part) => part.causes);
  const { minItems, maxItems, uniqueItems } = schema;
  if (minItems !== undefined && value.length < minItems)
    causes.push(invalid(named(path), value.length, `${path} in body should have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems) causes.push(tooMany(named(path), value.length, maxItems));
  if (uniqueItems && value.some((item, index) => value.slice(0, index).some((other) => jsonEquals(item, other))))
    causes.push(invalid(named(path), '', `${path} in body shouldn't contain duplicates`));
  return found(
    causes,
    parts.reduce((sum, part) => sum + part.matches, 1),
  );
}

function checkProperties(
  schema: StructuralSchema,
  value: Readonly<Record<string, unknown>>,
  { path, previous }: Place,
): Findings {
  const causes: FieldCause[] = [];
  let matches = 0;
  const size = Object.keys(value).length;
  if (schema.minProperties !== undefined && size < schema.minProperties)
    causes.push(invalid(named(path), size, `${path} in body should have at least ${schema.minProperties} properties`));
  if (schema.maxProperties !== undefined && size > schema.maxProperties)
    causes.push(tooMany(named(path), size, schema.maxProperties));
  for (const [key, inner] of Object.entries(value)) {
    const known = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    const below = known ?? (typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined);
    if (below === undefined) continue;
    const inside = known && path === '' ? key : `${path}.${key}`;
    const part = check(below, inner, {
      path: inside,
      previous: isJsonObject(previous) ? own(previous, key) : undefined,
    });
    causes.push(...part.causes);
    matches += part.matches;
  }
  for (const key of schema.required ?? [])
    if (!Object.hasOwn(value, key)) causes.push(required(named(`${path}.${key}`)));
  return { causes, matches };
}

function checkCombined(schema: StructuralSchema, value: unknown, { path }: Place): Findings {
  const all = (schema.allOf ?? []).map((alternative) => check(alternative, value, { path, previous: undefined }));
  const causes = all.flatMap((part) => part.causes);
  if (all.some((part) => part.causes.length > 0)) {
    const none = all.every((part) => part.causes.length > 0) ? '. None validated' : '';
    causes.push(composite(`${goQuote(path)} must validate all the schemas (allOf)${none}`));
  }
  const not = schema.not && check(schema.not, value, { path, previous: undefined });
  if (not && not.causes.length === 0) causes.push(composite(`${goQuote(path)} must not validate the schema (not)`));
  const parts = [checkAny(schema, value, path), checkOne(schema, value, path)];
  return {
    causes: [...parts.flatMap((part) => part.causes), ...causes],
    matches: [...all, ...parts].reduce((sum, part) => sum + part.matches, 1),
  };
}

const composite = (text: string): FieldCause => invalid(NOWHERE, '', text);

function checkAny({ anyOf = [] }: StructuralSchema, value: unknown, path: string): Findings {
  if (anyOf.length === 0) return found([], 0);
  const parts = anyOf.map((alternative) => check(alternative, value, { path, previous: undefined }));
  const success = parts.find((part) => part.causes.length === 0);
  if (success) return success;
  const best = bestOf(parts);
  return found([composite(`${goQuote(path)} must validate at least one schema (anyOf)`), ...best.causes], best.matches);
}

function checkOne({ oneOf = [] }: StructuralSchema, value: unknown, path: string): Findings {
  if (oneOf.length === 0) return found([], 0);
  const parts = oneOf.map((alternative) => check(alternative, value, { path, previous: undefined }));
  const valid = parts.filter((part) => part.causes.length === 0);
  if (valid.length === 1) return valid[0]!;
  const text = `${goQuote(path)} must validate one and only one schema (oneOf).`;
  if (valid.length > 1) return found([composite(`${text} Found ${valid.length} valid alternatives`)]);
  const best = bestOf(parts);
  return found([composite(`${text} Found none valid`), ...best.causes], best.matches);
}

function bestOf(parts: readonly Findings[]): Findings {
  return parts.reduce((best, part) => (part.matches > best.matches ? part : best));
}
