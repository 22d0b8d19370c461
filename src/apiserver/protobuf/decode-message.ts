import { setOwn } from '../schema/canonical-form.ts';
import type { SchemaField, SchemaNode } from '../schema/contract.ts';
import { type StructNode, structNode } from '../schema/published-nodes.ts';
import { WireError, WireReader } from './wire-reader.ts';

type Fields = Record<string, unknown>;

/** What a field number of a message leads to: a field, or a Go struct that is embedded in JSON and a message here. */
type Target = SchemaField | StructNode;

const MAX_DEPTH = 100;
const targets = new WeakMap<StructNode, ReadonlyMap<number, Target>>();

function targetsOf(node: StructNode): ReadonlyMap<number, Target> {
  let known = targets.get(node);
  if (known === undefined) {
    const fields = [...node.fields.values()].filter((field) => field.protobufNumber > 0);
    known = new Map<number, Target>([
      ...fields.map((field) => [field.protobufNumber, field] as const),
      ...(node.row.inlined ?? []).map(([number, index]) => [number, structNode(index)] as const),
    ]);
    targets.set(node, known);
  }
  return known;
}

/** Decodes a message of a published struct into the JSON value that stands for it. Throws WireError. */
export function decodeMessage(bytes: Buffer, node: StructNode): Fields {
  const struct: Fields = {};
  decodeInto(struct, bytes, { node, depth: 0 });
  return struct;
}

interface Place {
  readonly node: StructNode;
  readonly depth: number;
}

function decodeInto(struct: Fields, bytes: Buffer, { node, depth }: Place): void {
  if (depth > MAX_DEPTH) throw new WireError('proto: message nested too deeply');
  const reader = new WireReader(bytes);
  const known = targetsOf(node);
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    const target = known.get(number);
    if (target === undefined) reader.skip(wireType);
    else if ('row' in target) decodeInto(struct, reader.bytes(), { node: target, depth: depth + 1 });
    else decodeField(struct, target, { reader, wireType, depth });
  }
}

interface FieldAt {
  readonly reader: WireReader;
  readonly wireType: number;
  readonly depth: number;
}

function decodeField(struct: Fields, { name, node }: SchemaField, at: FieldAt): void {
  if (node.type === 'list') {
    struct[name] ??= [];
    const list = struct[name] as unknown[];
    if (at.wireType === 2 && isNumeric(node.element!)) list.push(...packed(at.reader.bytes(), node.element!));
    else list.push(decodeValue(node.element!, at));
  } else if (node.type === 'map') {
    const { key, value } = entryOf(at.reader.bytes(), node.element!, at.depth);
    struct[name] ??= {};
    setOwn(struct[name] as Fields, key, value);
  } else struct[name] = decodeValue(node, at);
}

const isNumeric = (node: SchemaNode): boolean => ['int32', 'int64', 'boolean', 'float64'].includes(node.type);

function packed(bytes: Buffer, node: SchemaNode): unknown[] {
  const reader = new WireReader(bytes);
  const values: unknown[] = [];
  while (!reader.done) values.push(decodeValue(node, { reader, wireType: 0, depth: 0 }));
  return values;
}

function entryOf(bytes: Buffer, element: SchemaNode, depth: number): { readonly key: string; readonly value: unknown } {
  const reader = new WireReader(bytes);
  let key = '';
  let value: unknown = null;
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1) key = reader.bytes().toString();
    else if (number === 2) value = decodeValue(element, { reader, wireType, depth: depth + 1 });
    else reader.skip(wireType);
  }
  return { key, value };
}

function decodeValue(node: SchemaNode, { reader, wireType, depth }: FieldAt): unknown {
  switch (node.type) {
    case 'int32':
      return Number(BigInt.asIntN(32, reader.varint()));
    case 'int64':
      return Number(BigInt.asIntN(64, reader.varint()));
    case 'boolean':
      return reader.varint() !== 0n;
    case 'float64':
      return reader.double();
    default:
      if (wireType !== 2) throw new WireError(`proto: wrong wireType = ${wireType} for a field of type ${node.goType}`);
      return delimited(node, reader.bytes(), depth);
  }
}

function delimited(node: SchemaNode, bytes: Buffer, depth: number): unknown {
  switch (node.type) {
    case 'string':
      return bytes.toString();
    case 'bytes':
      return bytes.toString('base64');
    case 'time':
    case 'microTime':
      return timestamp(bytes, node.type);
    case 'quantity':
      return scalarsOf(bytes).text.get(1) ?? '0';
    case 'intOrString':
      return intOrString(bytes);
    case 'any':
      return json(scalarsOf(bytes).text.get(1));
    case 'list':
      return listMessage(node.element!, bytes, depth);
    case 'struct':
      return nested(node, bytes, depth);
    default:
      throw new WireError(`proto: no form for a field of type ${node.goType}`);
  }
}

function nested(node: SchemaNode, bytes: Buffer, depth: number): Fields {
  const struct: Fields = {};
  decodeInto(struct, bytes, { node: ('base' in node ? node.base : node) as StructNode, depth: depth + 1 });
  return struct;
}

// A list that is the value of a map is a message with the items as its first field.
function listMessage(element: SchemaNode, bytes: Buffer, depth: number): unknown[] {
  const reader = new WireReader(bytes);
  const items: unknown[] = [];
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1) items.push(decodeValue(element, { reader, wireType, depth: depth + 1 }));
    else reader.skip(wireType);
  }
  return items;
}

/** Fields of the small messages that stand for one value. */
function scalarsOf(bytes: Buffer): { readonly text: Map<number, string>; readonly numbers: Map<number, bigint> } {
  const reader = new WireReader(bytes);
  const text = new Map<number, string>();
  const numbers = new Map<number, bigint>();
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (wireType === 2) text.set(number, reader.bytes().toString());
    else if (wireType === 0) numbers.set(number, BigInt.asIntN(64, reader.varint()));
    else reader.skip(wireType);
  }
  return { text, numbers };
}

function timestamp(bytes: Buffer, type: 'time' | 'microTime'): string | null {
  const { numbers } = scalarsOf(bytes);
  const [seconds, nanos] = [Number(numbers.get(1) ?? 0n), Number(numbers.get(2) ?? 0n)];
  if (seconds === 0 && nanos === 0) return null;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new WireError('proto: time out of range');
  const iso = date.toISOString().slice(0, -5);
  return type === 'time' ? `${iso}Z` : `${iso}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}

function intOrString(bytes: Buffer): number | string {
  const { text, numbers } = scalarsOf(bytes);
  return numbers.get(1) === 1n ? (text.get(3) ?? '') : Number(BigInt.asIntN(32, numbers.get(2) ?? 0n));
}

function json(text: string | undefined): unknown {
  if (text === undefined || text === '') return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WireError('embedded JSON is malformed', { cause });
  }
}
