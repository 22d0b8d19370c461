import type { StructuralSchema } from '../../custom/structural-schema.ts';
import { withTypeAndMetadata } from '../object-values.ts';
import { escapeName, isNamed } from '../property-names.ts';

/**
 * What is known of a value before a rule is evaluated. `dyn` may be anything and says so; `unknown` is what this checker cannot
 * tell, or what was wrong already: nothing is ever wrong with it.
 */
export type CelType =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'error' }
  /** `int`, `string`, `timestamp`, `dyn`, `null`, or the name of a type of Kubernetes' own. */
  | { readonly kind: 'simple'; readonly name: string }
  | { readonly kind: 'list' | 'optional_type' | 'type'; readonly of: CelType }
  | { readonly kind: 'map'; readonly key: CelType; readonly of: CelType }
  | { readonly kind: 'object'; readonly path: string; readonly schema: StructuralSchema };

/** What this checker cannot tell. */
export const UNKNOWN: CelType = { kind: 'unknown' };
/** What was wrong already. */
export const ERROR: CelType = { kind: 'error' };
/** A type without parameters. */
export const simple = (name: string): CelType => ({ kind: 'simple', name });
/** The types that are needed most. */
export const [BOOL, DYN, INT, STRING] = [simple('bool'), simple('dyn'), simple('int'), simple('string')] as const;
/** A list of such elements. */
export const listOf = (of: CelType): CelType => ({ kind: 'list', of });
/** Such a value, or none. */
export const optionalOf = (of: CelType): CelType => ({ kind: 'optional_type', of });
/** A map of such keys to such values. */
export const mapOf = (key: CelType, of: CelType): CelType => ({ kind: 'map', key, of });

/** True for what may be anything. */
export function isOpen(type: CelType): boolean {
  return type.kind === 'unknown' || type.kind === 'error' || (type.kind === 'simple' && type.name === 'dyn');
}

/** True for this type without parameters. */
export function isSimple(type: CelType, ...names: readonly string[]): boolean {
  return type.kind === 'simple' && names.includes(type.name);
}

/** The type as messages name it. */
export function printType(type: CelType): string {
  switch (type.kind) {
    case 'unknown':
      return 'dyn';
    case 'error':
      return '!error!';
    case 'simple':
      return type.name;
    case 'object':
      return type.path;
    case 'map':
      return `map(${printType(type.key)}, ${printType(type.of)})`;
    default:
      return `${type.kind}(${printType(type.of)})`;
  }
}

/** Whether a value of one type can stand where the other is wanted. */
export function isAssignable(a: CelType, b: CelType): boolean {
  if (isOpen(a) || isOpen(b)) return true;
  if (isSimple(a, 'null')) return takesNull(b);
  if (isSimple(b, 'null')) return takesNull(a);
  if (a.kind === 'simple') return b.kind === 'simple' && a.name === b.name;
  if (a.kind === 'object') return b.kind === 'object' && a.path === b.path;
  if (a.kind === 'map') return b.kind === 'map' && isAssignable(a.key, b.key) && isAssignable(a.of, b.of);
  if (a.kind === 'type') return b.kind === 'type';
  return a.kind === b.kind && isAssignable((a as { readonly of: CelType }).of, (b as { readonly of: CelType }).of);
}

const WITHOUT_NULL = ['bool', 'bytes', 'double', 'int', 'string', 'uint'];

function takesNull(type: CelType): boolean {
  return type.kind === 'object' || (type.kind === 'simple' && !WITHOUT_NULL.includes(type.name));
}

/** The type of what a schema describes; undefined where rules cannot reach. `path` names the objects in it. */
export function typeOfSchema(schema: StructuralSchema, path: string): CelType | undefined {
  if (schema['x-kubernetes-int-or-string']) return DYN;
  const { additionalProperties, items } = schema;
  switch (schema.type) {
    case 'array': {
      const of = items && typeOfSchema(items, `${path}.@idx`);
      return of && listOf(of);
    }
    case 'object': {
      if (typeof additionalProperties !== 'object') return { kind: 'object', path, schema: withMetadata(schema) };
      const of = typeOfSchema(additionalProperties, `${path}.@elem`);
      return of && mapOf(STRING, of);
    }
    case 'string':
      return simple(formats[schema.format ?? ''] ?? 'string');
    case 'boolean':
      return BOOL;
    case 'integer':
      return INT;
    case 'number':
      return simple('double');
    default:
      return undefined;
  }
}

const formats: Readonly<Record<string, string>> = {
  byte: 'bytes',
  date: 'timestamp',
  'date-time': 'timestamp',
  duration: 'duration',
};

const withMetadata = (schema: StructuralSchema): StructuralSchema =>
  schema['x-kubernetes-embedded-resource'] ? withTypeAndMetadata(schema) : schema;

/** The type of a field by the name that rules have for it; undefined when there is none. */
export function fieldType({ path, schema }: Extract<CelType, { readonly kind: 'object' }>, field: string) {
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (escapeName(name) !== undefined && isNamed(name, field)) return typeOfSchema(property, `${path}.${name}`);
  return undefined;
}
