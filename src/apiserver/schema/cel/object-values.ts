import { isJsonObject, type JsonObject, jsonEquals, own } from '../../patch/json-value.ts';
import type { StructuralSchema } from '../custom/structural-schema.ts';
import { parseDuration, parseTimestamp } from './functions/time-text.ts';
import { escapeName, isNamed } from './property-names.ts';
import { type CelObject, EvaluationError, equal, ListValue, MapValue, type Value } from './values.ts';

/** A part of an object as rules see it. Throws EvaluationError where it does not fit its schema. */
export function celValue(raw: unknown, schema: StructuralSchema): Value {
  if (raw === null || raw === undefined) {
    if (schema.nullable) return null;
    throw new EvaluationError('invalid data, got null for schema with nullable=false');
  }
  if (schema['x-kubernetes-int-or-string']) return typeof raw === 'string' ? raw : wholeNumber(raw);
  switch (schema.type) {
    case 'object':
      if (!isJsonObject(raw)) break;
      return objectOf(raw, schema);
    case 'array':
      if (!Array.isArray(raw)) break;
      return listOf(raw, schema);
    case 'string':
      if (typeof raw !== 'string') break;
      return textOf(raw, schema.format);
    case 'integer':
      return wholeNumber(raw);
    case 'number':
      if (typeof raw !== 'number') break;
      return raw;
    case 'boolean':
      if (typeof raw !== 'boolean') break;
      return raw;
    case undefined:
      return new PreservedValue(raw);
  }
  throw new EvaluationError(`invalid data, expected ${schema.type}`);
}

/** The schema of a resource, at the root or embedded: what every object has is always there. */
export function withTypeAndMetadata(schema: StructuralSchema): StructuralSchema {
  const properties: StructuralSchema['properties'] = {
    ...schema.properties,
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
  };
  return { ...schema, properties };
}

function wholeNumber(raw: unknown): bigint {
  if (typeof raw === 'number' && Number.isInteger(raw)) return BigInt(raw);
  throw new EvaluationError('invalid data, expected int');
}

function textOf(text: string, format: string | undefined): Value {
  switch (format) {
    case 'duration':
      return parseDuration(text) ?? badFormat('duration', text);
    case 'date':
      return parseTimestamp(`${text}T00:00:00Z`) ?? badFormat('date', text);
    case 'date-time':
      return parseTimestamp(text) ?? badFormat('date-time', text);
    case 'byte':
      return Buffer.from(text, 'base64');
    default:
      return text;
  }
}

function badFormat(format: string, text: string): never {
  throw new EvaluationError(`Invalid ${format} formatted string ${text}`);
}

function objectOf(raw: JsonObject, given: StructuralSchema): Value {
  const isEmbedded = given['x-kubernetes-embedded-resource'] === true;
  const schema = isEmbedded ? withTypeAndMetadata(given) : given;
  if (schema.properties) return new ObjectValue(raw, schema.properties);
  const more = schema.additionalProperties;
  return typeof more === 'object' ? new KeyedValue(raw, more) : new ObjectValue(raw, {});
}

function listOf(raw: readonly unknown[], schema: StructuralSchema): Value {
  const { items } = schema;
  if (!items) throw new EvaluationError('invalid array type, expected Items with a non-empty Schema');
  const values = raw.map((item) => celValue(item, items));
  if (schema['x-kubernetes-list-type'] === 'set') return new SetList(values);
  if (schema['x-kubernetes-list-type'] !== 'map') return new ListValue(values);
  const keys = (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => escapeName(key) ?? key);
  return new KeyedList(values, keys);
}

/** An object with declared properties; of others nothing is seen. */
class ObjectValue extends MapValue {
  readonly raw: JsonObject;
  readonly #properties: Readonly<Record<string, StructuralSchema>>;

  constructor(raw: JsonObject, properties: Readonly<Record<string, StructuralSchema>>) {
    super();
    this.raw = raw;
    this.#properties = properties;
  }

  get size(): number {
    return Object.keys(this.raw).length;
  }

  keys(): readonly Value[] {
    return Object.keys(this.raw).flatMap((name) => {
      const escaped = Object.hasOwn(this.#properties, name) ? escapeName(name) : undefined;
      return escaped === undefined ? [] : [escaped];
    });
  }

  find(key: Value): Value | undefined {
    const name = Object.keys(this.#properties).find((property) => typeof key === 'string' && isNamed(property, key));
    const value = name === undefined ? undefined : own(this.raw, name);
    // What is null is as good as absent here.
    return value === undefined || value === null ? undefined : celValue(value, this.#properties[name!]!);
  }

  override equals(other: Value): boolean {
    return other instanceof ObjectValue ? jsonEquals(this.raw, other.raw) : super.equals(other);
  }
}

/** An object whose properties are not declared, but their values are. */
class KeyedValue extends MapValue {
  readonly #raw: JsonObject;
  readonly #schema: StructuralSchema;

  constructor(raw: JsonObject, schema: StructuralSchema) {
    super();
    this.#raw = raw;
    this.#schema = schema;
  }

  get size(): number {
    return Object.keys(this.#raw).length;
  }

  keys(): readonly Value[] {
    return Object.keys(this.#raw);
  }

  find(key: Value): Value | undefined {
    const value = typeof key === 'string' ? own(this.#raw, key) : undefined;
    return value === undefined ? undefined : celValue(value, this.#schema);
  }
}

/** A list in which the order does not matter. */
abstract class UnorderedList extends ListValue {
  protected abstract isSame(a: Value, b: Value): boolean;
  protected abstract withItems(items: readonly Value[]): ListValue;

  override equals(other: Value): boolean {
    if (!(other instanceof ListValue) || other.size !== this.size) return false;
    return this.items.every((item) => other.items.some((theirs) => equal(item, theirs)));
  }

  /** The union: what is in both is taken from the other and stays in its place. */
  override add(other: ListValue): ListValue {
    const items = [...this.items];
    for (const theirs of other.items) {
      const place = items.findIndex((item) => this.isSame(item, theirs));
      items[place === -1 ? items.length : place] = theirs;
    }
    return this.withItems(items);
  }
}

class SetList extends UnorderedList {
  protected isSame(a: Value, b: Value): boolean {
    return equal(a, b);
  }

  protected withItems(items: readonly Value[]): ListValue {
    return new SetList(items);
  }
}

class KeyedList extends UnorderedList {
  readonly #keys: readonly string[];

  constructor(items: readonly Value[], keys: readonly string[]) {
    super(items);
    this.#keys = keys;
  }

  protected isSame(a: Value, b: Value): boolean {
    return this.#keys.every((key) => {
      const [mine, theirs] = [a, b].map((item) => (item instanceof MapValue ? item.find(key) : undefined));
      return mine === undefined || theirs === undefined ? mine === theirs : equal(mine, theirs);
    });
  }

  protected withItems(items: readonly Value[]): ListValue {
    return new KeyedList(items, this.#keys);
  }
}

/** What no schema describes: it can be compared, nothing else. */
class PreservedValue implements CelObject {
  readonly typeName = 'unknown';
  readonly #raw: unknown;

  constructor(raw: unknown) {
    this.#raw = raw;
  }

  equals(other: Value): boolean {
    return other instanceof PreservedValue && jsonEquals(this.#raw, other.#raw);
  }
}
