import json from './generated/tables.json' with { type: 'json' };

/**
 * A field: JSON name, type code, protobuf number (0: none), flags (1 pointer, 2 omitempty, 4 omitzero, 8 required), more.
 *
 * Type codes: s string, i int32, l int64, d float64, b bool, y bytes, T Time, M MicroTime, Q Quantity,
 * I IntOrString, R RawExtension, F FieldsV1, J any JSON, #n struct n, [x list of x, [*x list of pointers to x,
 * {x map of x with string keys, {key>x map with keys of a named type, @name=x a named Go type with the form of x.
 */
export type FieldRow = readonly [name: string, type: string, number: number, flags: number, more?: FieldMore];

/** What the schema says of a field beside its type. */
export interface FieldMore {
  readonly list?: 'atomic' | 'set' | 'map';
  readonly keys?: readonly string[];
  readonly map?: 'granular' | 'atomic';
  /** Strategic merge patch: strategies, joined by commas, and merge key. */
  readonly strategy?: string;
  readonly merge?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly itemEnum?: readonly string[];
  /** Embedded Go structs on the way to the field, joined by dots. */
  readonly via?: string;
}

export interface StructRow {
  /** Name of the published definition: `io.k8s.api.core.v1.ServicePort`. */
  readonly name: string;
  readonly fields: readonly FieldRow[];
  /** Embedded structs that are messages of their own in protobuf: field number and struct. */
  readonly inlined?: readonly (readonly [number: number, struct: number])[];
  readonly map?: 'granular' | 'atomic';
  readonly unions?: unknown;
  /** Not a definition of its own in the published schema. */
  readonly unpublished?: 1;
}

/** group, version, resource, subresource, namespaced, `group/version/kind`, verbs joined by spaces. */
export type ResourceRow = readonly [string, string, string, string, 0 | 1, string, string];

export interface Tables {
  /** Go package of the internal types of a group, for error texts. */
  readonly internalPackages: Readonly<Record<string, string>>;
  /** `group/version/kind` to struct. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly resources: readonly ResourceRow[];
  readonly structs: readonly StructRow[];
}

/** The published API as scripts/derive-schema-tables.ts derives it. */
export const tables = json as unknown as Tables;
