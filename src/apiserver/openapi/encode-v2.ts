import type { Schema } from './struct-schema.ts';
import type { V2Document } from './v2-document.ts';

// Field numbers are those of gnostic's OpenAPIv2.proto, in which kubectl before 1.29 asks for the document.
const OPERATIONS = { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 } as const;
const PARAMETER_PLACES: Readonly<Record<string, number>> = { header: 1, formData: 2, query: 3, path: 4 };
const [LENGTH_DELIMITED, VARINT, FIXED64] = [2, 0, 1];

/** The document as protobuf: what clients read of it, which is types, references, extensions and parameters. */
export function encodeV2Document({ swagger, info, paths, definitions }: V2Document): Buffer {
  const infoMessage = message([text(1, info['title']), text(2, info['version'])]);
  return message([
    text(1, swagger),
    field(2, infoMessage),
    field(8, message(Object.entries(paths).map(([path, item]) => field(2, named(path, pathItem(item)))))),
    field(9, message(namedSchemas(definitions))),
  ]);
}

function pathItem(item: Schema): Buffer {
  const operations = Object.entries(OPERATIONS).flatMap(([method, number]) => {
    const operation = item[method] as Schema | undefined;
    return operation ? [field(number, encodeOperation(operation))] : [];
  });
  const parameters = (item['parameters'] as readonly Schema[] | undefined) ?? [];
  return message([...operations, ...parameters.map((parameter) => field(9, encodeParameter(parameter)))]);
}

function encodeOperation(operation: Schema): Buffer {
  const list = (name: string): readonly unknown[] => (operation[name] as readonly unknown[] | undefined) ?? [];
  const responses = Object.entries(operation['responses'] as Readonly<Record<string, Schema>>);
  return message([
    ...list('tags').map((tag) => text(1, tag)),
    text(5, operation['operationId']),
    ...list('produces').map((type) => text(6, type)),
    ...list('consumes').map((type) => text(7, type)),
    ...list('parameters').map((parameter) => field(8, encodeParameter(parameter as Schema))),
    field(9, message(responses.map(([status, response]) => field(1, named(status, encodeResponse(response)))))),
    ...extensions(13, operation),
  ]);
}

function encodeResponse({ description, schema }: Schema): Buffer {
  const item = schema ? [field(2, message([field(1, encodeSchema(schema as Schema))]))] : [];
  return message([field(1, message([text(1, description), ...item]))]);
}

function encodeParameter({ name, in: place, required, schema, type, uniqueItems }: Schema): Buffer {
  if (place === 'body') {
    const body = [text(2, name), text(3, place), flag(4, required), field(5, encodeSchema(schema as Schema))];
    return message([field(1, message([field(1, message(body))]))]);
  }
  const isPath = place === 'path';
  const parts = [flag(1, required), text(2, place), text(4, name), text(isPath ? 5 : 6, type)];
  if (!isPath) parts.push(flag(18, uniqueItems));
  const inner = message([field(PARAMETER_PLACES[place as string] ?? 3, message(parts))]);
  return message([field(1, message([field(2, inner)]))]);
}

function encodeSchema(schema: Schema): Buffer {
  const { $ref, format, description, required = [], enum: values = [], type, items, properties } = schema;
  const more = schema['additionalProperties'];
  const value = schema['default'];
  return message([
    text(1, $ref),
    text(2, format),
    text(4, description),
    ...(value === undefined ? [] : [field(5, yaml(value))]),
    ...number(7, schema['maximum']),
    ...number(9, schema['minimum']),
    text(13, schema['pattern']),
    ...(required as readonly string[]).map((name) => text(19, name)),
    ...(values as readonly unknown[]).map((allowed) => field(20, yaml(allowed))),
    ...(more === undefined ? [] : [field(21, encodeAdditional(more))]),
    ...(type === undefined ? [] : [field(22, text(1, type))]),
    ...(items === undefined ? [] : [field(23, message([field(1, encodeSchema(items as Schema))]))]),
    ...(properties === undefined
      ? []
      : [field(25, message(namedSchemas(properties as Readonly<Record<string, Schema>>)))]),
    ...extensions(31, schema),
  ]);
}

function encodeAdditional(more: unknown): Buffer {
  return typeof more === 'boolean' ? flag(2, more) : message([field(1, encodeSchema(more as Schema))]);
}

function namedSchemas(schemas: Readonly<Record<string, Schema>>): Buffer[] {
  return Object.entries(schemas).map(([name, schema]) => field(1, named(name, encodeSchema(schema))));
}

function extensions(fieldNumber: number, node: Schema): Buffer[] {
  return Object.entries(node)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => field(fieldNumber, named(name, yaml(value))));
}

const named = (name: string, value: Buffer): Buffer => message([text(1, name), field(2, value)]);
// JSON is YAML.
const yaml = (value: unknown): Buffer => text(2, `${JSON.stringify(value)}\n`);
const message = (parts: readonly Buffer[]): Buffer => Buffer.concat(parts);
const EMPTY = Buffer.alloc(0);

function text(fieldNumber: number, value: unknown): Buffer {
  return typeof value === 'string' && value !== '' ? field(fieldNumber, Buffer.from(value)) : EMPTY;
}

function flag(fieldNumber: number, value: unknown): Buffer {
  return value === true ? Buffer.concat([tag(fieldNumber, VARINT!), Buffer.from([1])]) : EMPTY;
}

function number(fieldNumber: number, value: unknown): Buffer[] {
  if (typeof value !== 'number') return [];
  const double = Buffer.alloc(8);
  double.writeDoubleLE(value);
  return [tag(fieldNumber, FIXED64!), double];
}

function field(fieldNumber: number, value: Buffer): Buffer {
  return Buffer.concat([tag(fieldNumber, LENGTH_DELIMITED!), varint(value.length), value]);
}

const tag = (fieldNumber: number, wireType: number): Buffer => varint(fieldNumber * 8 + wireType);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
