import type { SchemaField, SchemaNode } from './contract.ts';
import { type FieldMore, type FieldRow, type StructRow, tables } from './tables.ts';

const scalars: Readonly<Record<string, SchemaNode>> = {
  s: { type: 'string', goType: 'string' },
  i: { type: 'int32', goType: 'int32' },
  l: { type: 'int64', goType: 'int64' },
  d: { type: 'float64', goType: 'float64' },
  b: { type: 'boolean', goType: 'bool' },
  y: { type: 'bytes', goType: '[]uint8' },
  T: { type: 'time', goType: 'v1.Time' },
  M: { type: 'microTime', goType: 'v1.MicroTime' },
  Q: { type: 'quantity', goType: 'resource.Quantity' },
  I: { type: 'intOrString', goType: 'intstr.IntOrString' },
  R: { type: 'any', goType: 'runtime.RawExtension' },
  F: { type: 'any', goType: 'v1.FieldsV1', mapType: 'granular' },
  J: { type: 'any', goType: 'v1.JSON' },
};

/** A struct of the published API; its fields are built when first asked for, since structs refer to each other in circles. */
export class StructNode implements SchemaNode {
  readonly type = 'struct';
  readonly goType: string;
  readonly mapType?: 'granular' | 'atomic';
  readonly row: StructRow;
  #fields: ReadonlyMap<string, SchemaField> | undefined;

  constructor(row: StructRow) {
    this.row = row;
    this.goType = row.name.split('.').slice(-2).join('.');
    if (row.map) this.mapType = row.map;
  }

  get fields(): ReadonlyMap<string, SchemaField> {
    this.#fields ??= new Map(this.row.fields.map((field) => [field[0], fieldOf(field)]));
    return this.#fields;
  }
}

const built: (StructNode | undefined)[] = [];

/** The struct with this number in the tables; always the same instance. */
export function structNode(index: number): StructNode {
  built[index] ??= new StructNode(tables.structs[index]!);
  return built[index];
}

function fieldOf(row: FieldRow): SchemaField {
  const [name, type, protobufNumber, flags, more = {}] = row;
  return {
    name,
    node: annotated(withItemEnum(nodeOf(type), more), more),
    required: (flags & 8) !== 0,
    pointer: (flags & 1) !== 0,
    omitEmpty: (flags & 2) !== 0,
    omitZero: (flags & 4) !== 0,
    protobufNumber,
    ...(more.default === undefined ? {} : { default: more.default }),
    ...(more.enum ? { enum: more.enum } : {}),
    ...(more.via ? { embeddedIn: more.via } : {}),
  };
}

function withItemEnum(node: SchemaNode, { itemEnum }: FieldMore): SchemaNode {
  return itemEnum && node.element ? { ...node, element: { ...node.element, enum: itemEnum } } : node;
}

/** The node of a type code; see FieldRow. */
export function nodeOf(code: string): SchemaNode {
  switch (code[0]) {
    case '#':
      return structNode(Number(code.slice(1)));
    case '@': {
      const equals = code.indexOf('=');
      return { ...nodeOf(code.slice(equals + 1)), goType: code.slice(1, equals) };
    }
    case '[': {
      const pointers = code[1] === '*';
      const element = nodeOf(code.slice(pointers ? 2 : 1));
      return { type: 'list', goType: `[]${pointers ? '*' : ''}${element.goType}`, element };
    }
    case '{': {
      const key = /^\{([\w.]+)>/.exec(code)?.[1];
      const element = nodeOf(code.slice(key === undefined ? 1 : key.length + 2));
      return { type: 'map', goType: `map[${key ?? 'string'}]${element.goType}`, element };
    }
    default:
      return scalars[code]!;
  }
}

// A field may say of a struct what the struct does not say of itself; the struct's own node stays as it is.
function annotated(node: SchemaNode, more: FieldMore): SchemaNode {
  if (!more.list && !more.map && !more.strategy && !more.merge) return node;
  const extra = {
    ...(more.list ? { listType: more.list } : {}),
    ...(more.keys ? { listMapKeys: more.keys } : {}),
    ...(more.map ? { mapType: more.map } : {}),
    ...(more.strategy ? { patchStrategies: more.strategy.split(',') } : {}),
    ...(more.merge ? { patchMergeKey: more.merge } : {}),
  };
  return node instanceof StructNode ? new AnnotatedStruct(node, extra) : { ...node, ...extra };
}

/** A struct with what one field says of it; shares the fields of `base`. */
export class AnnotatedStruct implements SchemaNode {
  readonly type = 'struct';
  readonly base: StructNode;
  readonly mapType?: 'granular' | 'atomic';
  constructor(base: StructNode, annotations: Partial<SchemaNode>) {
    this.base = base;
    Object.assign(this, base.mapType ? { mapType: base.mapType } : {}, annotations);
  }
  get goType(): string {
    return this.base.goType;
  }
  get fields(): ReadonlyMap<string, SchemaField> {
    return this.base.fields;
  }
}
