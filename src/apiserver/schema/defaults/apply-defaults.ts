import { cloneJson } from '../canonical-form.ts';
import { formatQuantity, parseQuantity } from '../canonical-quantity.ts';
import type { SchemaField, SchemaNode } from '../contract.ts';
import { AnnotatedStruct, StructNode } from '../published-nodes.ts';
import { coreDefaults } from './core-defaults.ts';
import { type Fields, fill, fillPointer, isZero, type SetDefaults } from './fill.ts';
import { otherDefaults } from './other-defaults.ts';
import { podDefaults } from './pod-defaults.ts';
import { workloadDefaults } from './workload-defaults.ts';

const defaults: Readonly<Record<string, SetDefaults>> = {
  ...podDefaults,
  ...coreDefaults,
  ...workloadDefaults,
  ...otherDefaults,
};

/** A copy of a decoded object of a published kind with its static defaults, outer structs first as in Go. */
export function applyDefaults<T>(node: StructNode, object: T): T {
  const copy = cloneJson(object);
  walkerOf(node)?.(copy);
  return copy as T;
}

type Walk = (value: unknown) => void;

const walkers = new Map<StructNode, Walk | undefined>();

// Undefined where nothing below has defaults. A struct that contains itself is taken to have some while that is found out.
function walkerOf(node: SchemaNode): Walk | undefined {
  if (node.type === 'list' || node.type === 'map') return collectionWalker(node);
  const struct = structOf(node);
  if (struct === undefined) return undefined;
  if (!walkers.has(struct)) {
    walkers.set(struct, (value) => walkers.get(struct)?.(value));
    walkers.set(struct, structWalker(struct));
  }
  return walkers.get(struct);
}

function structOf(node: SchemaNode): StructNode | undefined {
  if (node instanceof StructNode) return node;
  return node instanceof AnnotatedStruct ? node.base : undefined;
}

function collectionWalker(node: SchemaNode): Walk | undefined {
  if (node.goType === 'v1.ResourceList') return roundUp;
  const walk = walkerOf(node.element!);
  if (walk === undefined) return undefined;
  return (value) => {
    for (const inner of Object.values(value as object)) walk(inner);
  };
}

function structWalker(node: StructNode): Walk | undefined {
  // The overhead of a RuntimeClass is the one list of resources that is not rounded.
  if (node.row.name === 'io.k8s.api.node.v1.Overhead') return undefined;
  const own = defaults[node.row.name];
  const declared = [...node.fields.values()].filter(hasDeclaredDefault);
  const nested = [...node.fields.values()]
    .map((field) => ({ name: field.name, walk: walkerOf(field.node) }))
    .filter((field): field is { name: string; walk: Walk } => field.walk !== undefined);
  if (own === undefined && declared.length === 0 && nested.length === 0) return undefined;
  return (value) => {
    const struct = value as Fields;
    for (const { name, pointer, default: value } of declared) (pointer ? fillPointer : fill)(struct, name, value);
    own?.(struct);
    for (const { name, walk } of nested) if (struct[name] !== undefined && struct[name] !== null) walk(struct[name]);
  };
}

// A zero default says nothing where Go holds no pointer.
const hasDeclaredDefault = (field: SchemaField): boolean =>
  field.default !== undefined && (field.pointer || !isZero(field.default));

// Amounts of resources are kept to thousandths.
function roundUp(value: unknown): void {
  const amounts = value as Record<string, string>;
  for (const [name, text] of Object.entries(amounts)) {
    const quantity = parseQuantity(text);
    const rest = quantity.nano % 1_000_000n;
    if (rest !== 0n)
      amounts[name] = formatQuantity({
        ...quantity,
        nano: quantity.nano - rest + (rest > 0n ? 1_000_000n : -1_000_000n),
      });
  }
}
