import { canonicalQuantity, QuantityError } from './canonical-quantity.ts';
import type { SchemaField, SchemaNode } from './contract.ts';
import { canonicalTime, GoTimeError, type GoTimeLayout, RFC3339, RFC3339_MICRO } from './go-time.ts';

type Plain = Record<string, unknown>;

/** What came up while a value was brought into its canonical form. */
interface Findings {
  unknownFields: boolean;
}

type Convert = (value: unknown, findings: Findings) => unknown;

/** A value does not have the type that the schema asks for; strict-json.ts finds out how the real server words it. */
export class TypeMismatch extends Error {}

// One instance without a stack: what is wrong is found out elsewhere, here only speed counts.
const mismatch = new TypeMismatch('a value does not match the schema');
mismatch.stack = '';

export interface CanonicalForm {
  /** Shares nothing with the input. */
  readonly value: unknown;
  /** Some fields were dropped because the schema does not know them. */
  readonly unknownFields: boolean;
}

/**
 * Brings a JSON value into the form in which the real server would write it back after decoding it into its Go types: known
 * fields only, in Go's order, null and empty values as Go omits or prints them, times and quantities normalised. One
 * deviation: where Go prints null for an absent list or map, this prints [] or {}, so that readers need no check.
 * Throws TypeMismatch.
 */
export function canonicalForm(node: SchemaNode, value: unknown): CanonicalForm {
  const findings: Findings = { unknownFields: false };
  return { value: converterOf(node)(value ?? undefined, findings), unknownFields: findings.unknownFields };
}

const converters = new WeakMap<SchemaNode, Convert>();

function converterOf(node: SchemaNode): Convert {
  let convert = converters.get(node);
  if (convert === undefined) {
    convert = makeConverter(node);
    converters.set(node, convert);
  }
  return convert;
}

function makeConverter(node: SchemaNode): Convert {
  switch (node.type) {
    case 'struct':
      return structConverter(node);
    case 'map':
      return mapConverter(node.element!);
    case 'list':
      return listConverter(node.element!);
    default:
      return scalars[node.type];
  }
}

/** Values of these types, not null. */
const scalars: Readonly<Record<Exclude<SchemaNode['type'], 'struct' | 'map' | 'list'>, Convert>> = {
  string: (value) => (typeof value === 'string' ? value : fail()),
  boolean: (value) => (typeof value === 'boolean' ? value : fail()),
  int32: (value) => (typeof value === 'number' && (value | 0) === value ? value : fail()),
  int64: (value) => (typeof value === 'number' && Number.isInteger(value) ? value : fail()),
  float64: (value) => (typeof value === 'number' ? value : fail()),
  bytes: (value) => (typeof value === 'string' ? canonicalBase64(value) : bytesOfNumbers(value)),
  time: (value) => (typeof value === 'string' ? zeroTimeAsNull(value, RFC3339) : fail()),
  microTime: (value) => (typeof value === 'string' ? zeroTimeAsNull(value, RFC3339_MICRO) : fail()),
  quantity: (value) =>
    typeof value === 'string' || typeof value === 'number'
      ? orMismatch(() => canonicalQuantity(String(value).trim()))
      : fail(),
  intOrString: (value) =>
    typeof value === 'string' || (typeof value === 'number' && (value | 0) === value) ? value : fail(),
  any: (value) => cloneJson(value),
};

function fail(): never {
  throw mismatch;
}

// Go's zero time stands for none.
function zeroTimeAsNull(value: string, layout: GoTimeLayout): string | null {
  const time = orMismatch(() => canonicalTime(value, layout));
  return time.startsWith('0001-01-01T00:00:00') && /^[^.]*(?:\.0*)?Z$/.test(time) ? null : time;
}

function orMismatch(convert: () => string): string {
  try {
    return convert();
  } catch (error) {
    if (error instanceof QuantityError || error instanceof GoTimeError) throw mismatch;
    throw error;
  }
}

function canonicalBase64(text: string): string {
  const plain = text.replace(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain)) throw mismatch;
  return Buffer.from(plain, 'base64').toString('base64');
}

// Go takes a list of numbers for bytes, too.
function bytesOfNumbers(value: unknown): string {
  if (!Array.isArray(value)) throw mismatch;
  const numbers = value.map((item: unknown) => item ?? 0);
  if (!numbers.every((item) => typeof item === 'number' && (item & 0xff) === item)) throw mismatch;
  return Buffer.from(numbers as number[]).toString('base64');
}

function listConverter(element: SchemaNode): Convert {
  const convert = converterOfElement(element);
  return (value, findings) => {
    if (!Array.isArray(value)) throw mismatch;
    const list = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index++) list[index] = convert(value[index], findings);
    return list;
  };
}

function mapConverter(element: SchemaNode): Convert {
  const convert = converterOfElement(element);
  return (value, findings) => {
    if (!isPlain(value)) throw mismatch;
    const map: Plain = {};
    for (const key of Object.keys(value)) setOwn(map, key, convert(value[key], findings));
    return map;
  };
}

// Looked up late, as structs refer to each other in circles.
function converterOfElement(element: SchemaNode): Convert {
  let convert: Convert | undefined;
  // A nil byte string in a map comes back from storage as an empty one.
  const zero = element.type === 'bytes' ? () => '' : zeroOf(element);
  return (value, findings) => {
    if (value === null) return zero();
    convert ??= converterOf(element);
    return convert(value, findings);
  };
}

interface FieldPlan {
  readonly name: string;
  readonly node: SchemaNode;
  convert: Convert | undefined;
  /** Printed even when nothing was given. */
  readonly always: boolean;
  /** What is printed then. */
  readonly zero: () => unknown;
  /** Left out when the value is empty: '', 0, false, [] or {}. */
  readonly omitEmpty: boolean;
}

function structConverter(node: SchemaNode): Convert {
  const plan = [...node.fields!.values()].map(planOf);
  return (value, findings) => {
    if (!isPlain(value)) throw mismatch;
    const struct: Plain = {};
    let known = 0;
    for (const field of plan) {
      const given = value[field.name];
      if (given === undefined || given === null) {
        if (given === null) known++;
        if (field.always) struct[field.name] = field.zero();
        continue;
      }
      known++;
      field.convert ??= converterOf(field.node);
      const converted = field.convert(given, findings);
      if (converted === null ? field.always : !(field.omitEmpty && isEmpty(converted))) struct[field.name] = converted;
    }
    if (known !== countDefined(value)) findings.unknownFields = true;
    return struct;
  };
}

function planOf(field: SchemaField): FieldPlan {
  const { name, node, pointer, omitEmpty, omitZero } = field;
  // Go never omits a struct that is no pointer: `metadata: {}` is printed whatever the tag says.
  const isStruct = structLike.has(node.type) || node.goType === 'runtime.RawExtension';
  const omitted = pointer ? omitEmpty : isStruct ? omitZero : omitEmpty;
  return {
    name,
    node,
    convert: undefined,
    always: !omitted,
    zero: pointer ? () => null : zeroOf(node),
    omitEmpty: !pointer && (isStruct ? omitZero : omitEmpty),
  };
}

const structLike: ReadonlySet<SchemaNode['type']> = new Set(['struct', 'time', 'microTime', 'quantity', 'intOrString']);

/** What Go prints for the zero value. */
function zeroOf(node: SchemaNode): () => unknown {
  switch (node.type) {
    case 'struct':
      return () => converterOf(node)({}, { unknownFields: false });
    case 'list':
      return () => [];
    case 'map':
      return () => ({});
    case 'string':
      return () => '';
    case 'quantity':
      return () => '0';
    case 'boolean':
      return () => false;
    case 'int32':
    case 'int64':
    case 'float64':
    case 'intOrString':
      return () => 0;
    default:
      return () => null;
  }
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object') return value === '' || value === 0 || value === false;
  if (Array.isArray(value)) return value.length === 0;
  for (const _key in value) return false;
  return true;
}

function countDefined(value: Plain): number {
  let count = 0;
  for (const key in value) if (value[key] !== undefined) count++;
  return count;
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets an own property even when it is called `__proto__`. */
export function setOwn(target: Plain, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** A deep copy of a JSON value; fields that are undefined are left out. */
export function cloneJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneJson);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Plain = {};
  for (const key of Object.keys(value)) {
    const inner = (value as Plain)[key];
    if (inner !== undefined) setOwn(copy, key, cloneJson(inner));
  }
  return copy;
}
